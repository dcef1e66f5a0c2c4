// The leaderboards. The page loads this file when they are first to be seen: on narrow screens that is when the player
// asks for them.

import { BadAnswer, call } from "./api.ts";
import { button, make } from "./account/make.ts";
import { element, setText } from "./page.ts";
import { count } from "./words.ts";

type Board = "xp" | "level" | "deaths";

const NAMES: [Board, string][] = [["xp", "XP"], ["level", "Level"], ["deaths", "Deaths"]];

interface Rank {
  rank: number;
  player_id: number;
  name: string;
  score: number;
}

export { ready } from "./look.ts";

const REFRESH = 5_000; // ms

export class Boards {
  private readonly list = make("ol");
  private readonly note = make("p");
  private readonly ranks = make("div", { id: "ranks", role: "tabpanel" }, this.list, this.note);
  private readonly tabs = NAMES.map(([board, name]) => this.tab(board, name));
  private board: Board = "xp";
  private timer = 0;
  private playerID = 0;

  constructor() {
    const panel = element("board");
    panel.replaceChildren(make("div", { role: "tablist", ariaLabel: "Leaderboard" }, ...this.tabs), this.ranks);
    this.mark(this.tabs[0]!);
    panel.addEventListener("keydown", (e) => {
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

  private tab(board: Board, name: string): HTMLElement {
    const tab = button(`board-${board}`, name, () => this.choose(tab));
    tab.role = "tab";
    tab.dataset["board"] = board;
    tab.setAttribute("aria-controls", this.ranks.id);
    return tab;
  }

  private choose(tab: HTMLElement): void {
    this.board = tab.dataset["board"] as Board;
    this.mark(tab);
    void this.load();
  }

  private mark(tab: HTMLElement): void {
    for (const t of this.tabs) {
      t.ariaSelected = String(t === tab);
      t.tabIndex = t === tab ? 0 : -1;
    }
    this.ranks.setAttribute("aria-labelledby", tab.id);
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
    this.list.replaceChildren(...ranks.map((r) => this.line(r)));
    setText(this.note, note);
  }

  private line(r: Rank): HTMLElement {
    const li = make("li", {}, ...[count(r.rank), r.name, count(r.score)].map((text) => make("span", {}, text)));
    li.dataset["self"] = String(r.player_id === this.playerID);
    return li;
  }
}

async function leaderboard(board: Board): Promise<Rank[]> {
  const { entries } = await call(`leaderboards/${board}?limit=10`, { timeout: 5_000 });
  if (!Array.isArray(entries)) throw new BadAnswer("leaderboard");
  return entries as Rank[];
}
