// The sign at closed doors: what the operator says to those who are kept out, and when the doors are to open.

import { doors, type Shut } from "./api.ts";
import { element, say, setText } from "./page.ts";
import { closedTitle, opening } from "./words.ts";

/** How often the page asks whether the doors are still closed, in ms, but for up to as much at random. */
const ASK = 60_000;
const LOOK = 1_000; // ms between two looks at the clock

export class Sign {
  private readonly section = element("closed");
  private timer = 0;
  private next = 0; // the timer of the next question
  private word = 0; // counts what the node was asked and has said

  /** onOpen is called when the doors turn out to be open that were not. */
  constructor(private readonly onOpen: () => void) {}

  /** Asks the node whether the doors are closed, and shows it. */
  async watch(): Promise<void> {
    const mine = ++this.word;
    const shut = await doors().catch(() => undefined); // a node that does not answer says so to who knocks
    if (this.word !== mine) return; // there is newer word
    if (shut !== undefined) this.show(shut);
    else this.again(!this.section.hidden);
  }

  /** Shows what a node has said of its doors, and asks again as long as they are closed; null: they are open. */
  show(shut: Shut | null): void {
    this.word++;
    clearInterval(this.timer);
    const isNew = Boolean(shut) && this.section.hidden, opens = !shut && !this.section.hidden;
    this.section.hidden = !shut;
    this.again(Boolean(shut));
    if (opens) this.onOpen();
    if (!shut) return;
    const title = closedTitle(shut.mode);
    setText(element("closed-title"), title);
    setText(element("closed-text"), shut.message);
    if (isNew) say(shut.message ? `${title}. ${shut.message}` : title);
    const look = (): void => setText(element("closed-time"), opening(shut.opensAt, Date.now()));
    look();
    this.timer = setInterval(look, LOOK);
  }

  /** Asks again after a while, or not. */
  private again(yes: boolean): void {
    clearTimeout(this.next);
    if (yes) this.next = setTimeout(() => void this.watch(), ASK * (1 + Math.random()));
  }
}
