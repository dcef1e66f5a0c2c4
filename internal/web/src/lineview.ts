// What a player sees of the line while waiting in it.

import { element, say, setText } from "./page.ts";
import type { Place, View } from "./turn.ts";
import { ago, away, clock, count, inAWhile, timeLeft } from "./words.ts";

/** The bar moves to what is known in so many ms, and then slowly to what is expected. */
const STEP = 600;
/** The bar is never quite full: the player is in, and sees none, when the way is done. */
const ALMOST = 0.98;
/** With longer pauses between two looks at the line, in ms, the player is told of the next. */
const LONG = 60_000;

const NOTE = " This page may stay in the background, and reloading it or losing the network does not cost your place.";

const LOT = "The places of those who are here at the opening are drawn by lot. There is no need to hurry.";

const title = document.title;
const YOUR_TURN = `Your turn · ${title}`;

export class LineView {
  private readonly card = element("line");
  private readonly headings = [...element("line-title").children];
  private readonly left = element("line-left");
  private readonly bar = element("line-bar");
  private readonly news = element("line-news");
  private readonly confirmed = element("line-confirmed");
  private readonly leave = element("line-leave");
  private readonly sure = element("line-sure");
  private view: View | null = null;
  private at = now();
  private heard = 0; // ms since 1970
  private lost = "";
  private trouble: { why: Error; at: Time; delay: number } | null = null;
  private said = 0; // the place that screen readers were last told
  private called = false; // and that it is their turn
  private reached = 0; // where the bar was at last
  private moving: Animation | null = null;
  private ticking = 0;

  /** onLeave is called when the player gives the place up. */
  constructor(onLeave: () => void) {
    this.leave.addEventListener("click", () => this.ask(true));
    element("line-stay").addEventListener("click", () => this.ask(false));
    element("line-go").addEventListener("click", onLeave);
  }

  /**
   * Shows a place, as far as it is known before the line is heard of again, and whether the player has to do something
   * once the turn has come. The focus comes to it.
   */
  begin(p: Place, byItself: boolean): void {
    this.view = this.trouble = null;
    this.lost = "";
    this.said = 0;
    this.called = false;
    this.heard = p.heard;
    this.card.dataset["state"] = "waiting";
    this.card.dataset["place"] = String(p.place);
    setText(element("line-name"), p.name);
    setText(element("line-note"), (byItself
      ? "You will come in by yourself." : "You will be asked for your password when your turn has come.") + NOTE);
    this.card.hidden = false;
    this.ask(false, false);
    this.headline("You are number", count(p.place), "in line");
    setText(this.left, "Looking how far the line has come…");
    this.move(p.done, p.done, 0);
    this.tick();
    this.ticking = setInterval(() => this.tick(), 1000);
    element("line-title").focus();
  }

  /** Hides everything. The title goes on saying that it is the player's turn, if it is. */
  end(turn: boolean): void {
    clearInterval(this.ticking);
    this.rewind();
    this.card.hidden = true;
    document.title = turn ? YOUR_TURN : title;
  }

  show(v: View): void {
    const back = this.trouble !== null;
    this.view = v;
    this.at = now();
    this.heard = Date.now();
    this.trouble = null;
    this.move(v.done, v.soon, v.next);
    this.tick();
    // A word at the beginning, when the place has fallen by half, and after trouble; in between the page says it.
    if (back || !this.said || (v.opens ? this.said !== Infinity : v.place <= this.said / 2)) this.say(v);
  }

  /** Says that there is a new place, and why. */
  tell(news: string): void {
    this.lost = news;
    this.said = 0;
    this.called = false;
    this.rewind();
    this.tick();
  }

  away(why: Error, delay: number): void {
    const first = this.trouble === null;
    this.trouble = { why, at: now(), delay };
    this.tick();
    if (first) say(away(why, delay));
  }

  /** Shows that the turn has come, while the server is asked. */
  turn(): void {
    this.trouble = this.view = null;
    this.headline("", "It is your turn", "");
    setText(this.left, "Coming in…");
    this.move(1, 1, 0);
    this.tick();
    this.card.dataset["state"] = "turn";
    document.title = YOUR_TURN;
    if (!this.called) say("It is your turn.");
    this.called = true;
  }

  private say(v: View): void {
    this.said = v.opens ? Infinity : v.place;
    const what = v.opens
      ? `The line opens ${inAWhile(v.opens)}. The places of those who are here then are drawn by lot.`
      : `You are number ${count(v.place)} in line. Your turn comes in ${timeLeft(v.low, v.high)}.`;
    say(`${this.lost} ${what}`.trim());
  }

  /** Brings what depends on the time up to date. */
  private tick(): void {
    const v = this.view, t = this.trouble;
    if (v) this.stand(v, since(this.at));
    setText(this.news, t ? away(t.why, t.delay - since(t.at)) : this.lost);
    this.news.dataset["kind"] = t ? "error" : "";
    const next = v && !t ? v.next - since(this.at) : 0;
    const look = next > LONG ? `, next look ${inAWhile(next)}` : "";
    setText(this.confirmed, this.heard ? `Confirmed ${ago(Math.max(Date.now() - this.heard, 0))}${look}` : "");
    if (t) this.card.dataset["state"] = "away";
  }

  private stand(v: View, passed: number): void {
    const opens = v.opens - passed;
    this.card.dataset["state"] = opens > 0 ? "opening" : "waiting";
    this.card.dataset["place"] = String(v.place);
    this.bar.hidden = v.opens > 0;
    if (opens > 0) {
      this.headline("The line opens in", clock(opens), "");
      setText(this.left, LOT);
      document.title = `Opens in ${clock(opens)} · ${title}`;
      return;
    }
    this.headline("You are number", count(v.place), "in line");
    const left = timeLeft(Math.max(v.low - passed, 0), Math.max(v.high - passed, 0));
    setText(this.left, `${left[0]?.toUpperCase()}${left.slice(1)} to go`);
    this.bar.ariaValueNow = String(Math.round(v.done * 100));
    this.bar.ariaValueText = `number ${count(v.place)}, ${left} to go`;
    document.title = `${count(v.place)} in line · ${title}`;
  }

  private headline(...parts: string[]): void {
    for (const [i, e] of this.headings.entries()) setText(e, parts[i] ?? "");
  }

  /** Moves the bar to where the player is, and on to where it is expected in so many ms. It never goes back. */
  private move(done: number, soon: number, ms: number): void {
    const fill = this.bar.firstElementChild as HTMLElement;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const from = Math.max(this.reached, this.position(fill));
    const to = Math.max(from, Math.min(done, ALMOST));
    const end = still ? to : Math.max(to, Math.min(soon, ALMOST));
    this.moving?.cancel();
    this.moving = null;
    this.reached = to;
    fill.style.transform = `scaleX(${end})`;
    if (still) return;
    const scale = (x: number): string => `scaleX(${x})`;
    const duration = Math.max(ms, STEP);
    this.moving = fill.animate(
      [{ transform: scale(from) }, { transform: scale(to), offset: STEP / duration }, { transform: scale(end) }],
      { duration },
    );
  }

  /** Has the bar begin anew. */
  private rewind(): void {
    this.moving?.cancel();
    this.moving = null;
    this.reached = 0;
  }

  /** Returns where the bar is seen. */
  private position(fill: HTMLElement): number {
    return this.moving ? new DOMMatrixReadOnly(getComputedStyle(fill).transform).a : 0;
  }

  private ask(sure: boolean, focus = true): void {
    this.sure.hidden = !sure;
    this.leave.hidden = sure;
    if (focus) (sure ? element("line-stay") : this.leave).focus();
  }
}

interface Time { running: number; day: number }

/** The time by two clocks: that of the page may stand still while the machine sleeps, that of the day may be set. */
const now = (): Time => ({ running: performance.now(), day: Date.now() });
const since = (t: Time): number => Math.max(performance.now() - t.running, Date.now() - t.day);
