// What a player sees whom the page logs in by itself, in place of the form.

import { element, say, setText } from "./page.ts";

export class Welcome {
  private readonly card = element("welcome");
  private readonly title = element("welcome-title");
  private readonly name = element("welcome-name");
  private readonly note = element("welcome-note");
  private ticking = 0;

  /** onOther is called when the player would rather have the form. */
  constructor(onOther: () => void) {
    element("welcome-other").addEventListener("click", onOther);
  }

  /** Greets the player by name. The focus comes to it. */
  begin(name: string, note: string): void {
    setText(this.name, name);
    this.tell(() => note);
    this.card.hidden = false;
    say(`Welcome back, ${name}… ${note}`.trim());
    this.title.focus({ preventScroll: true });
  }

  /** Says what goes on, which may change as time passes. */
  tell(note: () => string): void {
    clearInterval(this.ticking);
    const look = (): void => setText(this.note, note());
    look();
    this.ticking = setInterval(look, 200);
  }

  end(): void {
    clearInterval(this.ticking);
    this.card.hidden = true;
  }
}
