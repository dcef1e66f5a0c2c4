// A button for what takes a proof, which opens a form for that.

import { Form, type Plan } from "./form.ts";
import { button, make } from "./make.ts";
import { Proof } from "./proof.ts";
import type { Result } from "./result.ts";
import type { Shown } from "./calls.ts";
import { refused } from "./words.ts";

/** What the player reads, and what is done. */
export interface Guard extends Pick<Plan, "id" | "doing"> {
  button: string;
  /** What stands above the proof. */
  question: string;
  yes: string;
  /** The look of the button that does it. */
  look?: string;
  /** The node asks for a code in any case. */
  withCode?: boolean;
  result: Result;
  /** Returns what to tell of it, nothing if that has been done. */
  deed: (shown: Shown) => Promise<string>;
}

export class Guarded {
  readonly root: HTMLElement;
  private readonly first: HTMLButtonElement;
  private readonly question: HTMLElement;
  private readonly proof: Proof;
  private readonly form: Form;

  constructor(private readonly g: Guard) {
    this.first = button(g.id, g.button, () => this.ask(true));
    this.proof = new Proof(g.id, g.withCode);
    this.question = make("p", { id: `${g.id}-question` }, g.question);
    this.form = new Form({
      id: `${g.id}-yes`, button: g.yes, doing: g.doing, result: g.result, look: g.look ?? "primary",
      rows: [this.question, ...this.proof.rows], beside: [button(`${g.id}-no`, "Cancel", () => this.ask(false))],
      send: async () => {
        const said = await g.deed(this.proof.shown);
        this.ask(false);
        return said;
      },
      wrong: (err) => this.proof.wrong(err) ?? { text: refused(err) },
    });
    this.proof.computing = this.form.computing;
    const { root } = this.form;
    root.hidden = true;
    root.setAttribute("aria-labelledby", this.question.id);
    root.addEventListener("keydown", (e) => {
      if (e.key !== "Escape" || e.isComposing) return;
      e.preventDefault(); // it closes the form, and not the page
      this.ask(false);
    });
    this.root = make("div", { className: "sure" }, this.first, root);
  }

  /** Has the button and the question say something else. */
  reword(first: string, question: string): void {
    this.first.textContent = first;
    this.question.textContent = question;
  }

  /** Goes to the button. */
  focus(): void {
    this.first.focus();
  }

  /** Closes the form, and forgets what was typed. */
  close(): void {
    this.form.close();
    this.proof.clear();
    this.first.hidden = false;
    this.form.root.hidden = true;
  }

  private ask(yes: boolean): void {
    const had = this.root.contains(document.activeElement);
    if (!yes) {
      this.form.giveUp();
      this.close();
      if (had) this.first.focus();
      return;
    }
    this.g.result.clear();
    this.first.hidden = true;
    this.form.root.hidden = false;
    if (!this.proof.focus()) this.form.submit.focus();
  }
}
