// A button for what cannot be undone, which asks once.

import { button, make, unseen } from "./make.ts";

/** What the player reads. */
export interface Question {
  button: string;
  /** What follows on the button for those who do not see what stands beside it. */
  of?: string;
  question: string;
  yes: string;
}

export class Sure {
  readonly root: HTMLElement;
  private readonly first: HTMLButtonElement;
  private readonly asked: HTMLElement;
  private readonly no: HTMLButtonElement;
  private readonly yes: HTMLButtonElement;
  private busy = false;

  /** deed is what the button is for. Where it comes to nothing, the question stays. */
  constructor(id: string, q: Question, private readonly deed: () => Promise<void>) {
    this.first = button(id, q.button, () => this.ask(true));
    if (q.of) this.first.append(unseen(" " + q.of));
    this.no = button(`${id}-no`, "Cancel", () => this.ask(false));
    this.yes = button(`${id}-yes`, q.yes, () => void this.act(), "danger");
    const text = make("p", { id: `${id}-question` }, q.question);
    this.asked = make("div", { hidden: true }, text, make("div", { className: "row" }, this.no, this.yes));
    this.asked.role = "group";
    this.asked.setAttribute("aria-labelledby", text.id);
    this.asked.addEventListener("keydown", (e) => {
      if (e.key !== "Escape" || e.isComposing) return;
      e.preventDefault(); // it closes the question, and not the page
      this.ask(false);
    });
    this.root = make("div", { className: "sure" }, this.first, this.asked);
  }

  /** Goes to the button. */
  focus(): void {
    this.first.focus();
  }

  /** Takes the question back. */
  close(): void {
    this.first.hidden = false;
    this.asked.hidden = true;
  }

  private ask(yes: boolean): void {
    if (this.busy) return;
    this.first.hidden = yes;
    this.asked.hidden = !yes;
    (yes ? this.no : this.first).focus();
  }

  private async act(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    for (const b of [this.no, this.yes]) b.ariaDisabled = "true"; // not disabled, or they would lose the keyboard
    try {
      await this.deed();
    } finally {
      this.busy = false;
      for (const b of [this.no, this.yes]) b.ariaDisabled = "false";
    }
  }
}
