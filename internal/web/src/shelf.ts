// Where the leaderboards are: open at first where there is room for them.

import type { Boards } from "./board.ts";
import { element, load } from "./page.ts";

export class Shelf {
  private readonly panel = element("board");
  private readonly toggle = element("boards");
  private boards: Promise<Boards> | null = null;
  private playerID = 0;

  constructor() {
    this.toggle.addEventListener("click", () => void this.open(this.panel.hidden === true));
  }

  /** Begins for a player. */
  start(playerID: number): void {
    this.playerID = playerID;
    void this.open(matchMedia("(min-width: 900px)").matches);
  }

  stop(): void {
    void this.open(false);
  }

  private async open(on: boolean): Promise<void> {
    this.panel.hidden = !on;
    this.toggle.ariaExpanded = String(on);
    if (on) this.boards ??= load<typeof import("./board.ts")>(this.panel).then(({ Boards }) => new Boards());
    try {
      (await this.boards)?.watch(this.panel.hidden ? 0 : this.playerID);
    } catch {
      this.boards = null; // the next time it is loaded again
    }
  }
}
