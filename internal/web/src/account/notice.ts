// What a player reads over the world whose account is to be deleted, and the way back.

import type { Inside } from "../accountpage.ts";
import { say } from "../page.ts";
import { keepAccount } from "./calls.ts";
import { button, make } from "./make.ts";
import { doomed, refused } from "./words.ts";

export class Notice {
  private readonly text = make("p", { id: "notice-text" });
  private readonly keep = button("notice-keep", "Keep the account", () => void this.takeBack(), "primary");
  private busy = false;

  constructor(private readonly root: HTMLElement, private readonly inside: Inside) {
    const later = button("notice-later", "Not now", () => this.end());
    root.replaceChildren(this.text, make("div", { className: "row" }, this.keep, later));
  }

  show(deleteAt: number): void {
    if (!this.inside.token) return; // the player is out again
    this.text.textContent = doomed(deleteAt);
    this.root.hidden = false;
    say(`${doomed(deleteAt)} You can keep it.`);
  }

  private end(): void {
    const had = this.root.contains(document.activeElement);
    this.root.hidden = true;
    if (had) document.getElementById("world")?.focus({ preventScroll: true });
  }

  private async takeBack(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.keep.ariaDisabled = "true";
    try {
      await keepAccount(this.inside.token);
      this.end();
      this.inside.tell("Your account stays.");
    } catch (err) {
      this.text.textContent = refused(err);
      say(refused(err));
    } finally {
      this.busy = false;
      this.keep.ariaDisabled = "false";
    }
  }
}
