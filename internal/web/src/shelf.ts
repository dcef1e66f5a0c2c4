// Where the leaderboards are: open at first where there is room for them.

import type { Boards } from "./board.ts";
import { element, load } from "./page.ts";

export class Shelf {
  private readonly panel = element("board");
  private readonly toggle = element("boards");
  private boards: Promise<Boards> | null = null;
  private isOpen = false;
  private playerID = 0;

  constructor() {
    this.toggle.addEventListener("click", () => void this.open(!this.isOpen));
  }

  /** Begins for a player. */
  start(playerID: number): void {
    this.playerID = playerID;
    void this.open(matchMedia("(min-width: 900px)").matches);
  }

  stop(): void {
    void this.open(false);
  }

  private async open(yes: boolean): Promise<void> {
    this.isOpen = yes;
    if (yes) this.boards ??= load<typeof import("./board.ts")>(this.panel).then(({ Boards }) => new Boards());
    try {
      (await this.boards)?.watch(this.isOpen ? this.playerID : 0);
    } catch {
      this.boards = null; // the next time it is loaded again
      this.isOpen = false;
    }
    this.panel.hidden = !this.isOpen;
    this.toggle.ariaExpanded = String(this.isOpen);
  }
}
