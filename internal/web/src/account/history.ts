// What has happened to the account.

import { history, type Happened } from "./calls.ts";
import { button, make, section } from "./make.ts";
import { Result } from "./result.ts";
import type { Desk, Section } from "./section.ts";
import { moment, refused } from "./words.ts";

const FEW = 10; // are shown at first

/** What the kinds are called. */
const KINDS: Record<string, string> = {
  login: "Logged in", registration: "Registered", device: "Came back without a password",
  "password-changed": "Password changed", "password-recovered": "Password replaced with a code",
  "password-set": "Password set", "device-forgotten": "Device forgotten",
  "logged-out-everywhere": "Logged out everywhere", "deletion-planned": "Deletion asked for",
  "deletion-taken-back": "Deletion taken back",
  "email-set": "E-mail address set", "email-removed": "E-mail address removed",
  "sessions-ended": "Sessions ended", banned: "Banned", unbanned: "Ban lifted", renamed: "Renamed",
  "second-factor-set": "Second factor set up", "second-factor-removed": "Second factor removed",
  "passkey-added": "Passkey added", "passkey-removed": "Passkey removed",
  "identity-linked": "Another way in linked", "identity-unlinked": "Another way in removed",
};

export class HistorySection implements Section {
  readonly root: HTMLElement;
  private readonly list = make("ol", { id: "account-history-list", className: "history", hidden: true });
  private readonly open = button("account-history-show", "Show", () => void this.load());
  private readonly all = button("account-history-all", "Show all", () => this.showAll());
  private readonly result: Result;
  private busy = false;

  constructor(private readonly desk: Desk) {
    this.result = new Result("account-history-result", (text) => desk.inside.tell(text));
    this.list.tabIndex = -1;
    this.list.ariaLabel = "What has happened to the account, the newest first";
    this.root = section("account-history", "History",
      make("p", { className: "hint" }, "When you came in, from where, and what else has happened to the account."),
      this.list, this.result.root, make("div", { className: "row" }, this.open, this.all));
    this.close();
  }

  show(): void {
    // It is asked for when the player asks for it.
  }

  close(): void {
    this.list.replaceChildren();
    this.list.hidden = this.all.hidden = true;
    this.open.textContent = "Show";
    this.result.clear();
  }

  private async load(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.open.ariaDisabled = "true";
    this.result.busy(() => "Loading…");
    try {
      this.fill(await history(this.desk.inside.token));
    } catch (err) {
      this.result.failed(refused(err));
    } finally {
      this.busy = false;
      this.open.ariaDisabled = "false";
    }
  }

  private fill(events: Happened[]): void {
    if (!this.root.checkVisibility()) return this.close();
    this.list.replaceChildren(...events.map((e, i) => this.item(e, i)));
    this.list.hidden = !events.length;
    this.all.hidden = events.length <= FEW;
    this.all.textContent = `Show all ${events.length}`;
    this.open.textContent = "Look again";
    this.result.done(events.length ? "" : "Nothing is noted yet: that takes a few seconds.");
    if (events.length) this.list.focus({ preventScroll: true });
  }

  private item(e: Happened, i: number): HTMLElement {
    const from = [e.byOperator ? "by those who run the game" : "", e.device, e.address].filter(Boolean).join(", ");
    const what = make("div", {}, make("span", {}, KINDS[e.kind] ?? e.kind.replaceAll("-", " ")),
      ...from ? [make("p", { className: "hint" }, from)] : []);
    const when = make("time", { dateTime: new Date(e.at).toISOString() }, moment(e.at));
    return make("li", { hidden: i >= FEW }, what, when);
  }

  private showAll(): void {
    for (const li of this.list.children) (li as HTMLElement).hidden = false;
    this.list.focus({ preventScroll: true });
    this.all.hidden = true;
  }
}
