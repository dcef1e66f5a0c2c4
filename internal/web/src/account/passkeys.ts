// The passkeys with which the player comes in without the password.

import { NoAnswer, Refusal } from "../api.ts";
import { deviceLabel } from "../label.ts";
import { hasPasskeys } from "../page.ts";
import { make as makePasskey } from "../passkey.ts";
import { failure, TYPE_CODE, WRONG_CODE } from "../words.ts";
import {
  addPasskey, beginPasskey, passkeys, removePasskey, type Account, type Passkey, type Shown,
} from "./calls.ts";
import { since } from "./devices.ts";
import { button, make, section } from "./make.ts";
import { Result } from "./result.ts";
import { Secrets } from "./secret.ts";
import type { Desk, Section } from "./section.ts";
import { Sure } from "./sure.ts";
import { date, refused } from "./words.ts";

const MAYBE = "It may have been added all the same.";

export class PasskeysSection implements Section {
  readonly root: HTMLElement;
  private readonly list = make("ul", { id: "account-passkeys-list", className: "items" });
  private readonly none = make("p", {}, "There are none yet.");
  private readonly name = make("input", { id: "account-passkey-name", maxLength: 64, required: true });
  private readonly secrets = new Secrets("account-passkey-reveal");
  private readonly password: HTMLInputElement;
  private readonly code = make("input", {
    id: "account-passkey-code", autocomplete: "one-time-code", maxLength: 64, required: true, disabled: true,
  });
  private readonly codeRow = make("div", { hidden: true },
    make("label", { htmlFor: this.code.id }, "Code of your authenticator, or a recovery code"), this.code);
  private readonly submit = make("button", { id: "account-passkey-add", className: "primary" }, "Add a passkey");
  private readonly cancel = button("account-passkey-cancel", "Cancel", () => this.waits?.abort());
  private readonly result: Result;
  // Password managers want to know whose password it is.
  private readonly user = make("input", { type: "text", autocomplete: "username", readOnly: true, hidden: true });
  private all: Passkey[] = [];
  private rows: Sure[] = [];
  private busy = false;
  private waits: AbortController | null = null; // for what the player can do without
  private stays = false; // logged in on this device

  constructor(private readonly desk: Desk) {
    this.result = new Result("account-passkeys-result", (text) => desk.inside.tell(text));
    const [password, row] = this.secrets.field("account-passkey-password", "Your password", "current-password");
    this.password = password;
    const form = make("form", { method: "post" }, this.user, row, this.codeRow,
      make("label", { htmlFor: this.name.id }, "What to call the new passkey"), this.name,
      make("div", { className: "row" }, this.submit, this.cancel), this.result.root);
    this.cancel.hidden = true;
    form.addEventListener("submit", (e) => {
      e.preventDefault();
      void this.add();
    });
    const hint = "With a passkey you come in by your fingerprint, your face or a PIN, without the password and its code. " +
      "To add or remove one takes the password.";
    this.root = section("account-passkeys", "Passkeys", make("p", { className: "hint" }, hint), this.list, this.none, form);
    this.root.hidden = !hasPasskeys();
  }

  show(a: Account): void {
    this.user.value = a.name;
    this.stays = a.devices.some((d) => d.this);
    this.name.value ||= deviceLabel(navigator);
    if (!this.root.hidden) void this.load();
  }

  close(): void {
    this.waits?.abort();
    for (const s of this.rows) s.close();
    this.secrets.clear();
    this.askCode(false);
    this.result.clear();
  }

  private async load(): Promise<void> {
    try {
      this.fill(await passkeys(this.desk.inside.token));
    } catch (err) {
      this.result.failed(refused(err));
    }
  }

  private fill(all: Passkey[]): void {
    this.all = all;
    const items = all.map((k, i) => this.item(k, i));
    this.rows = items.map(([, sure]) => sure);
    this.list.replaceChildren(...items.map(([li]) => li));
    this.list.hidden = !items.length;
    this.none.hidden = Boolean(items.length);
  }

  private item(k: Passkey, i: number): [HTMLElement, Sure] {
    const times = `Added ${date(k.created)}, ${k.used ? `last used ${since(k.used)}` : "not used yet"}`;
    const what = make("div", {}, make("strong", {}, k.name), make("p", { className: "hint" }, times));
    const sure = new Sure(`account-passkey-remove-${i}`, {
      button: "Remove", of: k.name, yes: "Remove",
      question: "It lets nobody in any more. All other sessions end, and all devices have to log in again. Remove it from "
        + "its device, too, where it would still be offered.",
    }, () => this.remove(k));
    return [make("li", {}, what, sure.root), sure];
  }

  private async add(): Promise<void> {
    if (this.busy) return;
    const { token } = this.desk.inside, name = this.name.value.trim();
    await this.act("Waiting for your passkey…", async () => {
      const options = await beginPasskey(token, this.proof), waits = new AbortController();
      this.offer(waits);
      const made = await makePasskey(options, waits.signal).finally(() => this.offer(null));
      if (!made) return this.cancelled();
      this.fill(await addPasskey(token, name, made));
      this.name.value = deviceLabel(navigator);
      this.result.done(`${name} is added.`);
    });
  }

  private async remove(k: Passkey): Promise<void> {
    if (this.busy) return;
    if (!this.password.value) return this.refuse("Please type your password first.", this.password);
    const { inside } = this.desk;
    let done = `${k.name} is removed.`;
    await this.act(`Removing ${k.name}…`, () => inside.ending(async () => {
      try {
        const session = await removePasskey(inside.token, k.handle, this.proof);
        if (this.stays) {
          inside.device.leave().catch(() => undefined); // its token is worth nothing any more
          done += " The next time you have to log in on this device.";
        }
        if (!session) return inside.signOut(`${done} Please log in again.`);
        inside.goOn(session);
        this.stays = false;
        this.desk.forgotten();
        this.fill(this.all.filter(({ handle }) => handle !== k.handle));
      } catch (err) { // somebody else may have removed it
        if (!(err instanceof Refusal && err.status === 404)) throw err;
        await this.load();
      }
      this.result.done(done);
      this.submit.focus(); // what was pressed is gone
    }));
  }

  private get proof(): Shown {
    const computing = (waits: AbortController | null): void => this.offer(waits);
    return { password: this.password.value, computing, ...(this.code.value ? { code: this.code.value } : {}) };
  }

  /** Shows the button by which the player gives up what is waited for, or not. */
  private offer(waits: AbortController | null): void {
    this.waits = waits;
    if (!waits && document.activeElement === this.cancel) this.submit.focus();
    this.cancel.hidden = !waits;
  }

  private cancelled(): void {
    if (this.root.checkVisibility()) this.result.failed("Cancelled.");
    else this.result.clear();
  }

  private async act(text: string, deed: () => Promise<void>): Promise<void> {
    this.busy = true;
    this.submit.ariaDisabled = "true"; // not disabled, or it would lose the keyboard
    this.secrets.disclose(false);
    this.result.busy(() => text);
    try {
      await deed();
      this.secrets.clear();
      this.askCode(false);
    } catch (err) {
      this.failed(err);
    } finally {
      this.busy = false;
      this.submit.ariaDisabled = "false";
    }
  }

  private failed(err: unknown): void {
    const reason = err instanceof Refusal ? err.reason : "";
    if (reason === "bad-credentials") return this.refuse("The password is wrong.", this.password);
    if (reason === "second-factor") {
      const first = !this.code.value;
      this.askCode(true);
      return this.refuse(first ? TYPE_CODE : WRONG_CODE, this.code);
    }
    if (err instanceof DOMException && err.name === "AbortError") return this.cancelled();
    if (err instanceof DOMException) {
      const known = err.name === "InvalidStateError";
      return this.result.failed(known ? "This device has a passkey of the account already."
        : "This browser could not make a passkey.");
    }
    this.result.failed(err instanceof NoAnswer ? `${failure(err)} ${MAYBE}` : failure(err));
  }

  private askCode(yes: boolean): void {
    this.codeRow.hidden = this.code.disabled = !yes;
    if (!yes) this.code.value = "";
  }

  private refuse(why: string, field: HTMLInputElement): void {
    this.result.failed(why);
    if (!field.checkVisibility()) return;
    field.focus();
    field.select();
  }
}
