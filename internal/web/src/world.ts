// The others in sight, shown a little in the past so that they move smoothly: section 6 of docs/protocol.md.

import { SCALE, TICK_RATE, type Entity, type Snapshot } from "./protocol.ts";

/** An entity as it is drawn. Positions are in units. */
export interface Shown {
  entity: Readonly<Entity>;
  x: number;
  y: number;
}

/** A snapshot and when it was, in ms of the node's clock. */
interface Moment {
  at: number;
  snapshot: Snapshot;
  byID: Map<bigint, Readonly<Entity>>;
}

const TICK = 1000 / TICK_RATE;
const KEPT = 64; // moments: a second of the fastest rate
const OFFSET_WINDOW = 3_000; // ms
const MIN_DELAY = 60; // ms
const MAX_DELAY = 250; // ms
const MAX_EXTRAPOLATION = 250; // ms
/** What moves faster, in units per tick, has been put elsewhere. */
const MAX_SPEED = 8;

export class Timeline {
  private moments: Moment[] = [];
  private offsets: { at: number; offset: number }[] = [];
  private offset = 0;
  private interval = 50;
  private lastTick = 0;
  private lastAt = 0;

  /** Takes a snapshot that is newer than those before and came at a time of the local clock, in ms. */
  push(snapshot: Snapshot, now: number): void {
    const last = this.moments.at(-1);
    const step = last ? ((snapshot.tick - this.lastTick) | 0) * TICK : 0;
    this.lastTick = snapshot.tick;
    this.lastAt += step;
    if (last) this.interval += (step - this.interval) * 0.1;
    if (last && last.snapshot.own.zone !== snapshot.own.zone) this.moments = [];
    const byID = new Map(snapshot.entities.map((e) => [e.id, e]));
    this.moments.push({ at: this.lastAt, snapshot, byID });
    if (this.moments.length > KEPT) this.moments.shift();
    this.adjust(now, !last);
  }

  /** Compares the clocks by the snapshot that travelled fastest. */
  private adjust(now: number, first: boolean): void {
    this.offsets = this.offsets.filter((o) => now - o.at < OFFSET_WINDOW);
    this.offsets.push({ at: now, offset: now - this.lastAt });
    const least = Math.min(...this.offsets.map((o) => o.offset));
    this.offset = first ? least : this.offset + (least - this.offset) * 0.1; // without a jump in time
  }

  /** Returns when the newest snapshot would have come, travelling as fast as the fastest, by the local clock. */
  get newest(): number {
    return this.offset + this.lastAt;
  }

  /** How far in the past the others are shown, in ms: about two snapshots. */
  get delay(): number {
    return Math.min(Math.max(2 * this.interval, MIN_DELAY), MAX_DELAY);
  }

  /** Returns the entities to show at a time of the local clock, and where. */
  at(now: number): Shown[] {
    const time = now - this.offset - this.delay;
    const later = this.moments.findIndex((m) => m.at >= time);
    const i = later < 0 ? this.moments.length - 1 : later;
    const b = this.moments[i];
    if (!b) return [];
    const a = this.moments[i - 1];
    if (!a) return b.snapshot.entities.map((e) => shown(e, e, 1, 0));
    const share = (Math.min(time, b.at + MAX_EXTRAPOLATION) - a.at) / (b.at - a.at);
    const reach = (MAX_SPEED * SCALE * (b.at - a.at)) / TICK;
    const present = share < 1 ? a : b;
    return present.snapshot.entities.map((e) => shown(a.byID.get(e.id) ?? e, b.byID.get(e.id) ?? e, share, reach));
  }
}

/** Puts an entity on the way from a to b, or to b if it cannot have walked it. */
function shown(a: Readonly<Entity>, b: Readonly<Entity>, share: number, reach: number): Shown {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  if (Math.hypot(dx, dy) > reach || (a.hp <= 0 && b.hp > 0)) return { entity: b, x: b.x / SCALE, y: b.y / SCALE };
  return { entity: share < 1 ? a : b, x: (a.x + dx * share) / SCALE, y: (a.y + dy * share) / SCALE };
}
