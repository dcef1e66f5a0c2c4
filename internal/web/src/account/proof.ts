// What proves that an account is the player's: the password, and a code where the account has a second factor.

import { Refusal } from "../api.ts";
import { TYPE_CODE, WRONG_CODE } from "../words.ts";
import { identityShown, onProvedBy, type Computing, type Shown } from "./calls.ts";
import type { Wrong } from "./form.ts";
import { CODE, field, whose } from "./make.ts";
import { Secrets } from "./secret.ts";

/** A field for a code of the second factor, which is there once the node has asked for one. */
export class CodeField {
  readonly row: HTMLElement;
  readonly field: HTMLInputElement;

  /** A field that is always there is for what the node asks a code for in any case. */
  constructor(id: string, private readonly always = false) {
    [this.field, this.row] = field(id, "Code of your authenticator, or a recovery code", CODE);
    this.clear();
  }

  /** What goes with a request. */
  get shown(): { code?: string } {
    return this.field.disabled ? {} : { code: this.field.value };
  }

  /** Returns what an error says of the code, for which it asks from then on, or null. */
  wrong(err: unknown): Wrong | null {
    if (!(err instanceof Refusal) || err.reason !== "second-factor") return null;
    const asked = this.field.disabled || !this.field.value;
    this.ask(true);
    return { text: asked ? TYPE_CODE : WRONG_CODE, field: this.field, asked };
  }

  clear(): void {
    this.field.value = "";
    this.ask(this.always);
  }

  private ask(yes: boolean): void {
    this.row.hidden = this.field.disabled = !yes;
  }
}

export class Proof {
  readonly rows: HTMLElement[];
  /** Is told when a proof is computed of what is shown. */
  computing: Computing = () => undefined;
  private readonly secrets: Secrets;
  private readonly password: HTMLInputElement;
  private readonly code: CodeField;

  constructor(id: string, withCode = false) {
    this.secrets = new Secrets(`${id}-reveal`);
    const [password, row] = this.secrets.field(`${id}-password`, "Your password", "current-password");
    this.password = password;
    this.code = new CodeField(`${id}-code`, withCode);
    this.rows = [whose(), row, this.code.row];
    // Nothing is to be typed where this browser proves the account by itself.
    onProvedBy(() => row.hidden = password.disabled = identityShown() !== null);
  }

  get shown(): Shown {
    this.secrets.disclose(false);
    return { password: this.password.value, computing: (c) => this.computing(c), ...this.code.shown };
  }

  /** Returns what an error says of the proof, or null. */
  wrong(err: unknown): Wrong | null {
    if (err instanceof Refusal && err.reason === "bad-credentials") {
      return { text: "The password is wrong.", field: this.password };
    }
    return this.code.wrong(err);
  }

  /** Goes to the password, and reports whether one is to be typed. */
  focus(): boolean {
    this.password.focus();
    return !this.password.disabled;
  }

  clear(): void {
    this.secrets.clear();
    this.code.clear();
  }
}
