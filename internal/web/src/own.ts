// The player's own movement, shown at once: from the own position of each snapshot on, with the movement on top that
// the node has not yet been seen to apply.

import { SCALE, type Own } from "./protocol.ts";

interface Input {
  from: number; // local time, ms
  x: number;
  y: number;
}

export interface Point {
  x: number;
  y: number;
}

const MEMORY = 2_000; // ms of inputs and of intents on their way
const TRIP_WINDOW = 5_000; // ms
const MAX_AHEAD = 500; // ms that are predicted
/** What is further off is not smoothed but shown where it is, in units. */
const JUMP = 6;
/** Of a deviation so much is left after a second. */
const LEFT_AFTER_SECOND = 1e-5;
/** The speed that is assumed until the player has walked, in units per second: that of the reference world. */
const FIRST_SPEED = 8;

export class OwnMotion {
  private inputs: Input[] = [{ from: -Infinity, x: 0, y: 0 }];
  private sent: { seq: number; at: number }[] = [];
  private trips: { at: number; took: number }[] = [];
  private speed = FIRST_SPEED;
  private own: Own | null = null;
  private since = 0; // the local time whose inputs own contains
  private error: Point = { x: 0, y: 0 };
  private errorAt = 0;

  /** Says where the player wants to go from now on, at most 1 long. */
  steer(x: number, y: number, now: number): void {
    this.inputs.push({ from: now, x, y });
    while (this.inputs[1] && this.inputs[1].from < now - MEMORY) this.inputs.shift();
  }

  /** Notes that an intent has gone out. */
  onSent(seq: number, now: number): void {
    this.sent.push({ seq, at: now });
    while (this.sent[0] && this.sent[0].at < now - MEMORY) this.sent.shift();
  }

  /**
   * Takes the own state of a snapshot with the newest intent in it. arrival is when it came, or would have come without
   * delay, by the local clock.
   */
  push(own: Own, intent: number, arrival: number, now: number): void {
    const before = this.own;
    const shown = this.at(now);
    const since = arrival - this.trip(intent, now);
    if (before) this.learn(before, this.since, own, since);
    this.own = own;
    this.since = since;
    this.error = { x: 0, y: 0 };
    this.errorAt = now;
    if (!before || before.zone !== own.zone || before.deaths !== own.deaths || (before.hp <= 0 && own.hp > 0)) return;
    const ahead = this.at(now);
    const error = { x: shown.x - ahead.x, y: shown.y - ahead.y };
    if (Math.hypot(error.x, error.y) < JUMP) this.error = error;
  }

  /** Returns where to show the player, in units. */
  at(now: number): Point {
    const own = this.own;
    if (!own) return { x: 0, y: 0 };
    const way = own.hp > 0 ? this.way(Math.max(this.since, now - MAX_AHEAD), now) : { x: 0, y: 0 };
    const left = LEFT_AFTER_SECOND ** ((now - this.errorAt) / 1000);
    return {
      x: own.x / SCALE + (way.x * this.speed) / 1000 + this.error.x * left,
      y: own.y / SCALE + (way.y * this.speed) / 1000 + this.error.y * left,
    };
  }

  /** Returns how long an intent takes to show in a snapshot at least, in ms. */
  private trip(intent: number, now: number): number {
    const i = this.sent.findIndex((s) => s.seq === intent);
    const found = this.sent[i];
    if (found) {
      this.trips.push({ at: now, took: now - found.at });
      this.sent.splice(0, i + 1); // later snapshots with the same intent say nothing
    }
    this.trips = this.trips.filter((t) => now - t.at < TRIP_WINDOW);
    return this.trips.length ? Math.min(...this.trips.map((t) => t.took)) : 0;
  }

  /** Returns the inputs of a time added up, in ms at full speed. */
  private way(from: number, to: number): Point {
    const sum = { x: 0, y: 0 };
    this.inputs.forEach((input, i) => {
      const end = Math.min(this.inputs[i + 1]?.from ?? Infinity, to);
      const span = end - Math.max(input.from, from);
      if (span <= 0) return;
      sum.x += input.x * span;
      sum.y += input.y * span;
    });
    return sum;
  }

  /** Measures the player's speed, which is the world's own, where the inputs explain a movement. */
  private learn(a: Own, since: number, b: Own, until: number): void {
    if (a.zone !== b.zone || a.deaths !== b.deaths || until <= since) return;
    const way = this.way(since, until);
    const wanted = Math.hypot(way.x, way.y);
    if (wanted < 0.9 * (until - since)) return; // did not walk steadily
    const went = (Math.hypot(b.x - a.x, b.y - a.y) / SCALE / wanted) * 1000;
    if (went > this.speed / 4 && went < this.speed * 4) this.speed += (went - this.speed) * 0.1;
  }
}
