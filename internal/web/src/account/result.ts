// The line in which a section says what becomes of what the player has asked for.

import { say, setText } from "../page.ts";
import { make } from "./make.ts";

const LOOK = 200; // ms between two looks at the clock

export class Result {
  readonly root: HTMLElement;
  private ticking = 0;

  /** tell is called in place of showing a result when the page has been closed before it came. */
  constructor(id: string, private readonly tell: (text: string) => void) {
    this.root = make("p", { id, className: "result" });
  }

  /** Says what is under way. The text may change as time passes, of which screen readers are spared. */
  busy(text: () => string): void {
    this.set(text(), "");
    say(text());
    this.ticking = setInterval(() => setText(this.root, text()), LOOK);
  }

  done(text: string): void {
    this.end(text, "done");
  }

  failed(text: string): void {
    this.end(text, "error");
  }

  clear(): void {
    this.set("", "");
  }

  private end(text: string, kind: string): void {
    if (!this.root.parentElement?.checkVisibility()) {
      this.clear();
      return this.tell(text);
    }
    this.set(text, kind);
    say(text);
  }

  private set(text: string, kind: string): void {
    clearInterval(this.ticking);
    setText(this.root, text);
    this.root.dataset["kind"] = kind;
  }
}
