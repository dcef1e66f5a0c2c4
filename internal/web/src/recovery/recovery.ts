// Another password for one that is lost: a code is sent by mail or handed out by an operator, and the player types it
// with the new password. The page loads this file when it is first asked for.

import { NoAnswer, Refusal } from "../api.ts";
import { finishRecovery, recover } from "../account/calls.ts";
import { Form, type Wrong } from "../account/form.ts";
import { button, CODE, field, make } from "../account/make.ts";
import { Result } from "../account/result.ts";
import { Secrets } from "../account/secret.ts";
import { refused, within } from "../account/words.ts";
import { failure, NOT_THE_SAME } from "../words.ts";

export { ready } from "../look.ts";

const ASK = "Type your user name. If its account has an e-mail address, a code is sent there. "
  + "Without one, those who run the game can give you a code.";
const NO_MAIL = "This server sends no mail. Ask those who run the game for a code, and type it here.";
const FINISH = "Type the code, and choose another password. You will be logged out everywhere, and log in with that.";
const WRONG = "The code is wrong, too old or was used before, or it is not for this name.";
const ANOTHER = "Check it, or have another one sent.";
const ANOTHER_BY_HAND = "Check it, or ask those who run the game for another one.";

const CHANGED_ALREADY = "Or the password is changed already: try to log in with it.";

/** Leads back to the form of the door, with what is told there. */
type Back = (name: string, said?: string) => void;

export class Recovery {
  private readonly title = make("h2", { id: "recovery-title", tabIndex: -1 }, "Another password");
  private readonly hint = make("p", { className: "hint" });
  private readonly result = new Result("recovery-result", () => undefined);
  private readonly secrets = new Secrets("recovery-reveal");
  private readonly name: HTMLInputElement;
  private readonly code: HTMLInputElement;
  private readonly next: HTMLInputElement;
  private readonly repeat: HTMLInputElement;
  private readonly more: HTMLElement;
  private readonly form: Form;
  private readonly have = button("recovery-have", "I have a code", () => this.step(true));
  private readonly again = button("recovery-again", "Send another code", () => this.step(false));
  private finishing = false; // the code is asked for
  private unsure = false; // an answer was lost

  constructor(private readonly root: HTMLElement, private readonly back: Back) {
    const [name, nameRow] = field("recovery-name", "User name",
      { autocomplete: "username", autocapitalize: "none", maxLength: 128, spellcheck: false, required: true });
    const [code, codeRow] = field("recovery-code", "Code, like 7K2M-QX9D-4HPT", CODE);
    const [next, nextRow] = this.secrets.field("recovery-new", "New password", "new-password");
    const [repeat, repeatRow] = this.secrets.field("recovery-repeat", "New password once more", "new-password");
    [this.name, this.code, this.next, this.repeat] = [name, code, next, repeat];
    this.more = make("div", { className: "rows" }, codeRow, nextRow, repeatRow);
    this.form = new Form({
      id: "recovery-send", button: "", doing: "Asking the server…", rows: [nameRow, this.more], result: this.result,
      send: () => this.finishing ? this.finish() : this.send(), wrong: (err) => this.wrong(err),
    });
    const out = button("recovery-back", "Back to login", () => this.leave());
    root.replaceChildren(this.title, this.hint, this.form.root, this.result.root,
      make("div", { className: "row" }, this.have, this.again, out));
  }

  /** Begins, with a name that may have been typed. */
  open(name: string): void {
    this.name.value = name;
    this.root.hidden = false;
    this.step(false);
  }

  private step(finishing: boolean): void {
    this.finishing = finishing;
    this.result.clear();
    this.hint.textContent = finishing ? FINISH : ASK;
    this.more.hidden = !finishing;
    for (const f of [this.code, this.next, this.repeat]) f.disabled = !finishing;
    this.form.submit.textContent = finishing ? "Change password" : "Send a code";
    this.have.hidden = finishing;
    this.again.hidden = !finishing;
    (finishing && this.name.value ? this.code : this.name).focus();
  }

  private async send(): Promise<string> {
    const ms = await recover(this.name.value);
    if (this.root.hidden) return "";
    this.step(true);
    return `If ${this.name.value} has an e-mail address, a code is on its way there, good ${within(ms)}.`;
  }

  private async finish(): Promise<string> {
    if (this.next.value !== this.repeat.value) throw new Different();
    this.secrets.disclose(false);
    const username = this.name.value;
    await finishRecovery({ username, code: this.code.value, password: this.next.value }, this.form.computing);
    this.leave("Your password has been changed. Please log in with it.");
    return "";
  }

  private wrong(err: unknown): Wrong {
    if (err instanceof Different) return { text: NOT_THE_SAME, field: this.repeat };
    if (err instanceof NoAnswer && this.finishing) {
      this.unsure = true;
      return { text: `${failure(err)} The password may be changed all the same: try to log in with it.` };
    }
    if (!(err instanceof Refusal)) return { text: refused(err) };
    switch (err.reason) {
      case "bad-credentials":
        return { text: `${WRONG} ${this.wayOut()}`, field: this.code };
      case "missing-credentials":
        if (err.status !== 404) break;
        this.step(true);
        this.again.hidden = true;
        return { text: NO_MAIL, field: this.code, asked: true };
    }
    return { text: refused(err), field: err.status === 400 ? this.named(err.words) : undefined };
  }

  /** Returns what a player does whose code is not good. */
  private wayOut(): string {
    if (this.unsure) return CHANGED_ALREADY;
    return this.again.hidden ? ANOTHER_BY_HAND : ANOTHER;
  }

  /** Returns the field that the node finds fault with, as far as its words tell. */
  private named(words: string): HTMLInputElement {
    if (!this.finishing) return this.name;
    return words.startsWith("A code ") ? this.code : this.next;
  }

  private leave(said = ""): void {
    this.form.giveUp();
    this.form.close();
    this.secrets.clear();
    this.code.value = "";
    this.unsure = false;
    this.result.clear();
    this.root.hidden = true;
    this.back(this.name.value, said);
  }
}

/** Two passwords that should be the same are not. */
class Different extends Error {}
