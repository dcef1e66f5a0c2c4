// Fields for passwords, and the one button that shows what is typed into all of them.

import { setText } from "../page.ts";
import { button, make } from "./make.ts";

const LONGEST = 256; // characters

export class Secrets {
  private readonly fields: HTMLInputElement[] = [];
  private readonly reveal: HTMLButtonElement;

  constructor(id: string) {
    this.reveal = button(id, "Show", () => this.disclose(this.reveal.ariaPressed === "false"));
    this.reveal.ariaPressed = "false";
  }

  /** Returns a field, and the row with its label to be put into a form. The first one has the button. */
  field(id: string, label: string, autocomplete: AutoFill): [field: HTMLInputElement, row: HTMLElement] {
    const field = make("input", { id, type: "password", autocomplete, maxLength: LONGEST, required: true });
    const first = !this.fields.length;
    this.fields.push(field);
    this.reveal.setAttribute("aria-controls", this.fields.map((f) => f.id).join(" "));
    const cell = make("div", { className: "secret" }, field, ...(first ? [this.reveal] : []));
    return [field, make("div", {}, make("label", { htmlFor: id }, label), cell)];
  }

  /** Shows what is typed, or dots in its place. */
  disclose(yes: boolean): void {
    for (const f of this.fields) f.type = yes ? "text" : "password";
    this.reveal.ariaPressed = String(yes);
    setText(this.reveal, yes ? "Hide" : "Show");
  }

  clear(): void {
    this.disclose(false);
    for (const f of this.fields) f.value = "";
  }
}
