// What lies over the world while there is no playing in it.

import { element, say, setText } from "./page.ts";

const LOOK = 500; // ms between two looks at the clock

export class Overlay {
  private readonly section = element("overlay");
  private readonly card = element("overlay-card");
  private readonly text = element("overlay-text");
  private readonly note = element("overlay-note");
  private timer = 0;

  /** Shows a text, which is told to those who do not see it, and below it a note, which changes and is not. */
  show(text: string, note: () => string = () => ""): void {
    clearInterval(this.timer);
    this.section.hidden = false;
    setText(this.text, text);
    say(text);
    const look = (): void => setText(this.note, note());
    look();
    this.timer = setInterval(look, LOOK);
  }

  hide(): void {
    clearInterval(this.timer);
    this.section.hidden = true;
    setText(this.text, "");
    setText(this.note, "");
  }

  /** Takes the keyboard. Not one of the buttons does: a key that was held in the game would press it. */
  focus(): void {
    if (!this.card.contains(document.activeElement)) this.card.focus({ preventScroll: true });
  }
}
