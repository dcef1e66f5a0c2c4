// A place in the line, and the wait for its turn.

import { BadAnswer, Refusal, type Lost, type Told } from "./api.ts";
import { jitter } from "./backoff.ts";
import { randomID } from "./random.ts";
import { FINAL, placeOf, pollAfter, type LineDocument } from "./line.ts";

export type Kind = "login" | "register";

/** What is known of a place. It outlives the page, see stored.ts. */
export interface Place {
  /** With it alone the ticket is good. Both are secrets. */
  secret: string;
  ticket: string;
  /** By the line's clock, in ms since 1970; 0: the server was not busy so far. */
  turn: number;
  /** What the player was about to do, and under which name. */
  kind: Kind;
  name: string;
  /** The place as it was first told, and as it was last. */
  first: number;
  place: number;
  /** The part of the way that is behind, from 0 to 1; it never shrinks. */
  done: number;
  /** What it is expected to be in so many ms after the line was last heard of, by the time of day in ms since 1970. */
  soon: number;
  next: number;
  heard: number;
}

/** What a player who waits is shown. */
export interface View {
  place: number;
  /** The interval in which the turn comes, in ms from now. */
  low: number;
  high: number;
  /** In how many ms the line opens; 0: it is open. */
  opens: number;
  /** In how many ms the line is asked again. */
  next: number;
  /** The part of the way that is behind now, and what it will be then, at the present pace. */
  done: number;
  soon: number;
}

export interface LineEvents {
  onPlace: (v: View) => void;
  /** The place was not honoured, and there is a new one at the end of the line. */
  onLost: (why: Lost) => void;
  /** No word of the line could be had; there is another try in so many ms. */
  onAway: (why: Error, delay: number) => void;
  /** The turn has come. */
  onTurn: () => void;
  /** What is to be kept has changed. */
  onChange: (p: Place) => void;
}

/** What the wait needs of the world around it. */
export interface LineWorld {
  document: (signal: AbortSignal) => Promise<LineDocument>;
  signal: AbortSignal;
  random?: () => number;
  sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** After so many answers in place of the document that are none, the page goes by what a refusal says. */
const MAX_UNREADABLE = 5;
/** What the bar is moved by beforehand, of what the present pace would bring: it is not to run ahead of the line. */
const SURE = 0.75;
/** A turn that is so far ahead of the time may be that of a line which has yet to open. */
const AHEAD = 2_000;
const MIN_PAUSE = 500;

/** Returns a place that has yet to be asked for. */
export function newPlace(): Place {
  return {
    secret: randomID(), ticket: "", turn: 0, kind: "login", name: "",
    first: 0, place: 0, done: 0, soon: 0, next: 0, heard: 0,
  };
}

type Stand = Pick<View, "place" | "low" | "high">;

export class InLine {
  private nap: AbortController | null = null;

  constructor(private readonly place: Place, private readonly world: LineWorld, private readonly events: LineEvents) {
    if (place.next <= 0) return;
    // The bar was moved beforehand, and is not to go back because the page was loaded again.
    const passed = Math.min(Math.max((Date.now() - place.heard) / place.next, 0), 1);
    place.done = Math.max(place.done, place.done + (place.soon - place.done) * passed);
  }

  /** What goes with a registration or login. */
  get credentials(): { line_secret: string; ticket?: string } {
    const { secret, ticket } = this.place;
    return { line_secret: secret, ...(ticket ? { ticket } : {}) };
  }

  /** Takes what a refusal says, and returns when it is time to ask again with the ticket. */
  async wait(told: Told): Promise<void> {
    const fresh = !this.place.turn || Boolean(told.ticket);
    if (told.ticket) this.place.ticket = told.ticket;
    this.place.turn = told.turn;
    if (fresh) Object.assign(this.place, { first: told.place, done: 0 });
    // Whether the line has yet to open, only its document says.
    const next = told.turn > Date.now() + AHEAD ? Math.min(told.pollAfter, this.random() * AHEAD) : told.pollAfter;
    const pace = (told.place * 2000) / Math.max(told.low + told.high, 2000);
    this.tell({ place: told.place, low: told.low, high: told.high }, 0, next, pace, told.lost);
    await this.sleep(next);
    await this.turn();
  }

  /** Returns when it is time to ask with the ticket, of which the page knows from before. */
  async turn(): Promise<void> {
    for (let failures = 0, unreadable = 0; ; ) {
      let d: LineDocument;
      try {
        d = await this.world.document(this.world.signal);
      } catch (err) {
        this.world.signal.throwIfAborted();
        unreadable = err instanceof BadAnswer ? unreadable + 1 : 0;
        if (unreadable > MAX_UNREADABLE || err instanceof Refusal && err.status === 404) break; // there is none
        await this.away(err as Error, failures++);
        continue;
      }
      failures = unreadable = 0;
      const at = placeOf(d, this.place.turn);
      if (!at) break;
      const next = pollAfter(d, at.wait, this.random());
      this.tell(at, Math.max(d.opens - d.now, 0), next, d.pace);
      await this.sleep(next);
      if (at.wait <= FINAL) break;
    }
    this.events.onTurn();
  }

  /** Waits before the next try, of which so many have failed. */
  async away(why: Error, failures: number): Promise<void> {
    const asked = why instanceof Refusal ? why.retryAfter : 0;
    const delay = Math.max(jitter(failures, this.world.random), asked, MIN_PAUSE);
    this.events.onAway(why, delay);
    this.nap = asked ? null : new AbortController(); // no earlier than a server asks for
    try {
      await this.sleep(delay, this.nap?.signal);
    } catch {
      this.world.signal.throwIfAborted();
    } finally {
      this.nap = null;
    }
  }

  /** Tries at once if the server was away, as when the network has come back. */
  hurry(): void {
    this.nap?.abort();
  }

  private tell(at: Stand, opens: number, next: number, pace: number, lost: Lost = ""): void {
    const p = this.place;
    p.place = at.place;
    p.heard = Date.now();
    if (opens || !p.first) p.first = at.place; // the places of those who are there early change until the opening
    const part = (left: number): number => Math.min(Math.max(1 - left / p.first, 0), 1);
    p.done = opens ? 0 : Math.max(p.done, part(at.place));
    p.next = next;
    p.soon = opens ? 0 : Math.max(p.done, part(at.place - (pace * next) / 1000 * SURE));
    this.events.onChange({ ...p });
    if (lost) this.events.onLost(lost);
    this.events.onPlace({ place: at.place, low: at.low, high: at.high, opens, next, done: p.done, soon: p.soon });
  }

  private random(): number {
    return (this.world.random ?? Math.random)();
  }

  private sleep(ms: number, nap?: AbortSignal): Promise<void> {
    const { signal } = this.world;
    return (this.world.sleep ?? sleepThrough)(ms, nap ? AbortSignal.any([signal, nap]) : signal);
  }
}

/**
 * Waits as sleep of backoff.ts does, but by the time of day as well: while a machine or a page sleeps, the clock of its
 * timers may stand still, and the line goes on.
 */
export function sleepThrough(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const until = Date.now() + ms;
    const end = (then: () => void): void => {
      clearTimeout(timer);
      clearInterval(watch);
      signal.removeEventListener("abort", abort);
      then();
    };
    const abort = (): void => end(() => reject(signal.reason as Error));
    const timer = setTimeout(() => end(resolve), ms);
    const watch = setInterval(() => Date.now() >= until && end(resolve), 1000);
    signal.addEventListener("abort", abort, { once: true });
  });
}
