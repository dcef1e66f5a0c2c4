// Whether an attack hits anything. The protocol does not tell, so it is seen by what comes of it.

import { SCALE, type Snapshot } from "./protocol.ts";

/** So long after the attack began something has come of it, or it has hit nothing; in ms. */
const PATIENCE = 1_000;
/** What is harmed further off, in units, others have harmed. */
const NEAR = 8;
const KIND_MONSTER = 2; // of the reference world, as all later kinds are

export class Swing {
  private since = -1; // of an attack of which nothing has come yet; less than 0: there is none
  private holding = false;
  private harmable = false; // there have been monsters: a game without them may mean something else by an attack
  private before: Snapshot | null = null;

  /** Takes note whether the player attacks. */
  hold(attacking: boolean, now: number): void {
    if (attacking && !this.holding) this.since = now;
    this.holding = attacking;
  }

  /** Takes a snapshot, and reports, once for each attack, that it has hit nothing. */
  missed(s: Snapshot, now: number): boolean {
    const { before } = this;
    this.before = s;
    this.harmable ||= s.entities.some((e) => e.kind >= KIND_MONSTER && e.maxHP > 1);
    if (this.since < 0) return false;
    if (s.own.hp <= 0 || (before && harmed(before, s))) this.since = -1;
    if (this.since < 0 || now - this.since < PATIENCE) return false;
    this.since = -1;
    return this.harmable;
  }
}

/**
 * Reports whether something near the player has lost hit points, or a monster is gone, or the player has got something
 * for it. Another player who is gone has logged out, as often as not.
 */
function harmed(a: Snapshot, b: Snapshot): boolean {
  if (b.own.xp > a.own.xp) return true;
  const now = new Map(b.entities.map((e) => [e.id, e.hp]));
  return a.entities.some((e) =>
    Math.hypot(e.x - a.own.x, e.y - a.own.y) <= NEAR * SCALE && e.hp > 0 &&
    (now.get(e.id) ?? (e.kind >= KIND_MONSTER ? 0 : e.hp)) < e.hp);
}
