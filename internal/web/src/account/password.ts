// Another password.

import { NoAnswer, Refusal, type Session } from "../api.ts";
import { sleep } from "../backoff.ts";
import { deviceLabel } from "../label.ts";
import { authenticate, TooBusy, type Wait } from "../login.ts";
import { failure, NOT_THE_SAME, waiting } from "../words.ts";
import { changePassword, type Account, type Change } from "./calls.ts";
import { button, make, section, whose } from "./make.ts";
import { CodeField } from "./proof.ts";
import { Result } from "./result.ts";
import { Secrets } from "./secret.ts";
import type { Desk, Section } from "./section.ts";

const CHANGED = "Your password has been changed.";
const MAYBE = "It may have been changed all the same: if the old one is refused, the new one holds.";

export class PasswordSection implements Section {
  readonly root: HTMLElement;
  private readonly secrets = new Secrets("account-reveal");
  private readonly current: HTMLInputElement;
  private readonly next: HTMLInputElement;
  private readonly repeat: HTMLInputElement;
  private readonly code = new CodeField("account-code");
  private readonly submit = make("button", { id: "account-change", className: "primary" }, "Change password");
  private readonly cancel = button("account-change-cancel", "Cancel", () => {
    this.pause?.abort();
    this.proof?.abort();
  });
  private readonly result: Result;
  private stays = false; // logged in on this device
  private busy = false;
  private pause: AbortController | null = null;
  private proof: AbortController | null = null; // that is being computed
  private unanswered = false; // a try, so that what has become of it is not known

  constructor(private readonly desk: Desk) {
    this.result = new Result("account-password-result", (text) => desk.inside.tell(text));
    const rows = [
      [this.current] = this.secrets.field("account-current", "Current password", "current-password"),
      [this.next] = this.secrets.field("account-new", "New password", "new-password"),
      [this.repeat] = this.secrets.field("account-repeat", "New password once more", "new-password"),
    ].map(([, row]) => row);
    rows.push(this.code.row);
    this.cancel.hidden = true;
    const buttons = make("div", { className: "row" }, this.submit, this.cancel);
    const form = make("form", { method: "post" }, whose(), ...rows, buttons, this.result.root);
    form.addEventListener("submit", (e) => {
      e.preventDefault();
      void this.change();
    });
    const hint = "All other sessions end, and other devices have to log in with the new password.";
    this.root = section("account-password", "Password", make("p", { className: "hint" }, hint), form);
  }

  show(a: Account): void {
    this.stays = a.devices.some((d) => d.this);
  }

  forgotten(): void {
    this.stays = false;
  }

  close(): void {
    this.pause?.abort();
    this.clear();
    this.mark(null);
    this.result.clear();
  }

  private async change(): Promise<void> {
    if (this.busy) return;
    this.mark(null);
    if (this.next.value !== this.repeat.value) return this.refuse(NOT_THE_SAME, this.repeat);
    this.busy = true;
    this.submit.ariaDisabled = "true"; // not disabled, or it would lose the keyboard
    this.secrets.disclose(false);
    this.result.busy(() => "Changing your password…");
    const { inside } = this.desk;
    const c: Change = { current: this.current.value, ...this.code.shown, new: this.next.value };
    try {
      if (await inside.ending(() => this.send(c))) this.changed();
      else inside.signOut(`${CHANGED} Please log in with it.`);
    } catch (err) {
      this.failed(err);
    } finally {
      this.busy = false;
      this.submit.ariaDisabled = "false";
    }
  }

  /** Has the password changed, and the player go on with the session that the node gives, if it does. */
  private async send(c: Change): Promise<boolean> {
    const { token, device } = this.desk.inside, name = this.stays ? device.name : "";
    this.unanswered = false;
    const session = await authenticate<Change, Session | null>({
      send: (c, signal) => {
        const send = (): Promise<Session | null> => changePassword(token, c, signal, (p) => this.computing(p));
        return name ? device.alone(signal, send) : send();
      },
      signal: new AbortController().signal, onWait: (w) => this.wait(w), sleep: (ms) => this.rest(ms),
    }, name ? { ...c, remember: deviceLabel(navigator) } : c);
    if (name && session?.remembered) device.remember(name);
    else if (name) device.leave().catch(() => undefined); // its token is worth nothing any more
    if (session) this.desk.inside.goOn(session);
    return session !== null;
  }

  private clear(): void {
    this.secrets.clear();
    this.code.clear();
  }

  private changed(): void {
    this.clear();
    this.result.done(CHANGED);
    this.desk.reload();
  }

  private wait(w: Wait): void {
    this.unanswered ||= !w.reason;
    const until = performance.now() + w.delay;
    this.result.busy(() => waiting(w, until - performance.now()));
  }

  /** Waits before another try, which the player can do without. */
  private async rest(ms: number): Promise<void> {
    const { signal } = (this.pause = new AbortController());
    this.offer(true);
    try {
      await sleep(ms, signal);
    } finally {
      this.pause = null;
      this.offer(false);
    }
  }

  /** A proof is computed, which the player can do without; null: not any more. */
  private computing(proof: AbortController | null): void {
    this.proof = proof;
    this.offer(Boolean(proof));
  }

  private offer(yes: boolean): void {
    if (!yes && document.activeElement === this.cancel) this.submit.focus();
    this.cancel.hidden = !yes;
  }

  private failed(err: unknown): void {
    if (err instanceof DOMException && err.name === "AbortError") {
      if (this.root.checkVisibility()) this.result.failed(this.unanswered ? `Cancelled. ${MAYBE}` : "Cancelled.");
      return;
    }
    const reason = err instanceof Refusal ? err.reason : "";
    if (reason === "bad-credentials") {
      const more = this.unanswered ? " An answer was lost: the new one may hold already." : "";
      return this.refuse(`The current password is wrong.${more}`, this.current);
    }
    const code = this.code.wrong(err);
    if (code) return this.refuse(code.text, this.code.field, code.asked);
    if (reason === "missing-credentials") return this.refuse(failure(err), this.next);
    const last = err instanceof TooBusy ? err.last : err;
    this.result.failed(this.unanswered || last instanceof NoAnswer ? `${failure(err)} ${MAYBE}` : failure(err));
  }

  /** Says what is wrong with a field, and goes to it, unless the page has been closed. */
  private refuse(why: string, field: HTMLInputElement, asked = false): void {
    if (asked) this.result.done(why);
    else this.result.failed(why);
    if (!field.checkVisibility()) return;
    this.mark(field, asked);
    field.focus();
    field.select();
  }

  /** Has the result belong to a field, for those who come to it later. */
  private mark(wrong: HTMLInputElement | null, asked = false): void {
    for (const f of [this.current, this.code.field, this.next, this.repeat]) {
      f.ariaInvalid = f === wrong && !asked ? "true" : null;
      if (f === wrong) f.setAttribute("aria-describedby", this.result.root.id);
      else f.removeAttribute("aria-describedby");
    }
  }
}
