// The leaderboards. The page loads this file when they are first to be seen: on narrow screens that is when the player
// asks for them.

import { BadAnswer, call } from "./api.ts";
import { element, setText } from "./page.ts";
import { count } from "./words.ts";

type Board = "xp" | "level" | "deaths";

interface Rank {
  rank: number;
  player_id: number;
  name: string;
  score: number;
}

const REFRESH = 5_000; // ms

export class Boards {
  private readonly panel = element("board");
  private readonly tabs = [...this.panel.querySelectorAll<HTMLElement>("[role=tab]")];
  private readonly ranks = element("ranks");
  private board: Board = "xp";
  private timer = 0;
  private playerID = 0;

  constructor() {
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

  /** Has the boards kept up to date, for a player who is to be found on them; 0: for nobody. */
  watch(playerID: number): void {
    this.playerID = playerID;
    clearInterval(this.timer);
    if (!playerID) return;
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

async function leaderboard(board: Board): Promise<Rank[]> {
  const { entries } = await call(`leaderboards/${board}?limit=10`, { timeout: 5_000 });
  if (!Array.isArray(entries)) throw new BadAnswer("leaderboard");
  return entries as Rank[];
}
