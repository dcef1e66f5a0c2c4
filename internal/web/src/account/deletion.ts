// The end of the account, and the way back while there is one.

import { deleteAccount, keepAccount, type Account, type Shown } from "./calls.ts";
import { Guarded } from "./guarded.ts";
import { button, make, section } from "./make.ts";
import { Result } from "./result.ts";
import type { Desk, Section } from "./section.ts";
import { doomed, refused } from "./words.ts";

const QUESTION = "You are logged out everywhere at once. Unless you log in and take it back in time, the account is "
  + "gone for good, with its character, its history and its places on the leaderboards, and another player may take its "
  + "name.";

export class DeletionSection implements Section {
  readonly root: HTMLElement;
  private readonly now = make("p", { id: "account-delete-now" });
  private readonly keep = button("account-keep", "Keep the account", () => void this.takeBack(), "primary");
  private readonly result: Result;
  private readonly guarded: Guarded;
  private stays = false; // logged in on this device
  private busy = false;

  constructor(private readonly desk: Desk) {
    const result = this.result = new Result("account-delete-result", (text) => desk.inside.tell(text));
    this.guarded = new Guarded({
      id: "account-delete", button: "Delete the account…", yes: "Delete", look: "danger",
      doing: "Asking for the deletion…", question: QUESTION, result, deed: (shown) => this.end(shown),
    });
    this.root = section("account-deletion", "Delete the account",
      make("p", { className: "hint" }, "With its character and all that is kept of you."),
      this.now, this.keep, this.guarded.root, result.root);
  }

  show(a: Account): void {
    this.stays = a.devices.some((d) => d.this);
    this.state(a.deleteAt);
  }

  close(): void {
    this.guarded.close();
    this.result.clear();
  }

  private state(at: number): void {
    this.now.textContent = at ? doomed(at) : "";
    this.keep.hidden = !at;
    this.guarded.root.hidden = Boolean(at);
  }

  private async end(shown: Shown): Promise<string> {
    const { inside } = this.desk;
    await inside.ending(async () => {
      const at = await deleteAccount(inside.token, shown);
      if (this.stays) inside.device.leave().catch(() => undefined); // its cookie is worth nothing any more
      const later = at > Date.now();
      inside.signOut(later ? `${doomed(at)} Log in before then to keep it.` : "Your account is being deleted.");
    });
    return "";
  }

  private async takeBack(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.keep.ariaDisabled = "true";
    this.result.busy(() => "Taking it back…");
    try {
      await keepAccount(this.desk.inside.token);
      const had = document.activeElement === this.keep;
      this.state(0);
      if (had) this.guarded.focus();
      this.result.done("The account stays.");
    } catch (err) {
      this.result.failed(refused(err));
    } finally {
      this.busy = false;
      this.keep.ariaDisabled = "false";
    }
  }
}
