// The leaderboards.

import { leaderboard, type Board, type Rank } from "./api.ts";
import { element, setText } from "./page.ts";
import { count } from "./words.ts";

const REFRESH = 5_000; // ms

export class Boards {
  private readonly panel = element("board");
  private readonly toggle = element("boards");
  private readonly tabs = [...this.panel.querySelectorAll<HTMLElement>("[role=tab]")];
  private readonly ranks = element("ranks");
  private board: Board = "xp";
  private playerID = 0;
  private timer = 0;

  constructor() {
    this.toggle.addEventListener("click", () => this.open(this.panel.hidden === true));
    for (const tab of this.tabs) tab.addEventListener("click", () => this.choose(tab));
    this.panel.addEventListener("keydown", (e) => {
      const i = this.tabs.indexOf(e.target as HTMLElement);
      const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
      const next = step && i >= 0 ? this.tabs.at((i + step) % this.tabs.length) : undefined;
      if (!next) return;
      this.choose(next);
      next.focus();
    });
  }

  /** Begins for a player: open where there is room. */
  start(playerID: number): void {
    this.playerID = playerID;
    this.open(matchMedia("(min-width: 900px)").matches);
  }

  stop(): void {
    this.open(false);
  }

  private open(on: boolean): void {
    this.panel.hidden = !on;
    this.toggle.ariaExpanded = String(on);
    clearInterval(this.timer);
    if (!on) return;
    void this.load();
    this.timer = setInterval(() => {
      if (!document.hidden) void this.load();
    }, REFRESH);
  }

  private choose(tab: HTMLElement): void {
    this.board = tab.dataset["board"] as Board;
    for (const t of this.tabs) {
      t.ariaSelected = String(t === tab);
      t.tabIndex = t === tab ? 0 : -1;
    }
    this.ranks.setAttribute("aria-labelledby", tab.id);
    void this.load();
  }

  private async load(): Promise<void> {
    const board = this.board;
    try {
      const ranks = await leaderboard(board);
      if (board === this.board) this.show(ranks, ranks.length ? "" : "Nobody yet.");
    } catch {
      if (board === this.board) this.show([], "The leaderboard cannot be had at the moment.");
    }
  }

  private show(ranks: readonly Rank[], note: string): void {
    const [list, text] = this.ranks.children as unknown as [HTMLElement, HTMLElement];
    list.replaceChildren(...ranks.map((r) => this.line(r)));
    setText(text, note);
  }

  private line(r: Rank): HTMLElement {
    const li = document.createElement("li");
    li.dataset["self"] = String(r.player_id === this.playerID);
    for (const text of [count(r.rank), r.name, count(r.score)]) {
      li.append(Object.assign(document.createElement("span"), { textContent: text }));
    }
    return li;
  }
}
