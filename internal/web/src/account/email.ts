// The e-mail address, by which a lost password is replaced.

import { NoAnswer, Refusal } from "../api.ts";
import { failure } from "../words.ts";
import { addresses, removeEmail, setEmail, verifyEmail, type Addresses, type Shown } from "./calls.ts";
import { Form, type Wrong } from "./form.ts";
import { Guarded } from "./guarded.ts";
import { CODE, field, make, section } from "./make.ts";
import { Proof } from "./proof.ts";
import { Result } from "./result.ts";
import type { Desk, Section } from "./section.ts";
import { refused, within } from "./words.ts";

const NO_MAIL = "This server sends no mail. Who has lost the password asks those who run it for a code.";

export class EmailSection implements Section {
  readonly root: HTMLElement;
  private readonly now = make("p", { id: "account-email-now" });
  private readonly address: HTMLInputElement;
  private readonly code: HTMLInputElement;
  private readonly proof = new Proof("account-email");
  private readonly result: Result;
  private readonly set: Form;
  private readonly verify: Form;
  private readonly remove: Guarded;
  private has: Addresses = { proved: "", pending: "", mail: true };

  constructor(private readonly desk: Desk) {
    this.result = new Result("account-email-result", (text) => desk.inside.tell(text));
    const [code, codeRow] = field("account-email-code", "Code that was sent to you", CODE);
    const [address, addressRow] = field("account-email-new", "New e-mail address",
      { type: "email", autocomplete: "email", maxLength: 254, required: true });
    [this.code, this.address] = [code, address];
    const { result } = this;
    this.verify = new Form({
      id: "account-email-verify", button: "Confirm", doing: "Confirming the address…", result, rows: [codeRow],
      send: () => this.confirm(), wrong: (err) => this.wrongCode(err),
    });
    this.set = new Form({
      id: "account-email-set", button: "Send a code", look: "", doing: "Having a code sent…", result,
      rows: [addressRow, ...this.proof.rows], send: () => this.send(), wrong: (err) => this.wrong(err),
    });
    this.proof.computing = this.set.computing;
    this.remove = new Guarded({
      id: "account-email-remove", button: "Remove the address", yes: "Remove", look: "danger",
      doing: "Removing the address…", result,
      question: "Without it nobody can send you a code for a lost password.", deed: (shown) => this.drop(shown),
    });
    this.root = section("account-email", "E-mail",
      make("p", { className: "hint" }, "For one thing only: another password when yours is lost. Nobody else sees it."),
      this.now, this.verify.root, this.set.root, result.root, this.remove.root);
  }

  async show(): Promise<void> {
    try {
      this.state(await addresses(this.desk.inside.token));
      this.root.hidden = false;
    } catch (err) {
      this.root.hidden = err instanceof Refusal && err.status === 404; // an older node
      this.now.textContent = refused(err);
    }
  }

  close(): void {
    for (const part of [this.set, this.verify, this.remove]) part.close();
    this.proof.clear();
    this.address.value = this.code.value = "";
    this.result.clear();
  }

  private state(has: Addresses): void {
    this.has = has;
    const { proved, pending, mail } = has, b = (text: string): HTMLElement => make("strong", {}, text);
    this.now.replaceChildren(...proved ? ["Your address is ", b(proved), ". "] : ["You have none. "],
      ...pending ? ["A code was sent to ", b(pending), ", which is yours once you type it here."] : [],
      ...mail ? [] : [NO_MAIL]);
    this.verify.root.hidden = !pending;
    this.set.root.hidden = !mail;
    this.remove.root.hidden = !proved && !pending;
  }

  private async send(): Promise<string> {
    const email = this.address.value;
    const ms = await setEmail(this.desk.inside.token, email, this.proof.shown);
    this.address.value = this.code.value = "";
    this.proof.clear();
    this.state({ ...this.has, pending: email });
    if (this.root.contains(document.activeElement)) this.code.focus();
    return `A code was sent to ${email}. Type it here ${within(ms)}.`;
  }

  private async confirm(): Promise<string> {
    await verifyEmail(this.desk.inside.token, this.code.value);
    const had = this.verify.root.contains(document.activeElement), email = this.has.pending;
    this.code.value = "";
    this.state({ ...this.has, proved: email, pending: "" });
    if (had) this.remove.focus();
    return `${email} is your address now.`;
  }

  private async drop(shown: Shown): Promise<string> {
    await removeEmail(this.desk.inside.token, shown);
    const had = this.remove.root.contains(document.activeElement);
    this.remove.close();
    this.state({ ...this.has, proved: "", pending: "" });
    if (had) this.address.focus();
    return "You have no address any more.";
  }

  private wrong(err: unknown): Wrong {
    const wrong = this.proof.wrong(err);
    if (wrong) return wrong;
    if (!(err instanceof Refusal)) return { text: refused(err) };
    if (err.status === 404) return { text: NO_MAIL };
    if (err.reason === "rate-limited") return { text: refused(err) };
    return { text: refused(err), field: err.status === 400 ? this.address : undefined };
  }

  private wrongCode(err: unknown): Wrong {
    if (err instanceof NoAnswer) return { text: failure(err) };
    const field = err instanceof Refusal && (err.status === 400 || err.status === 409) ? this.code : undefined;
    return { text: refused(err), field };
  }
}
