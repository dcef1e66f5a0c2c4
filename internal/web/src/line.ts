// What a client makes of the document of the line. It imports nothing and can be copied as it is. Package internal/line
// has the same in Go, as PlaceOf and PollAfter; internal/line/testdata/client.json holds both together.

/** What everybody in the line is told alike. Times are in ms since 1970 by the line's clock. */
export interface LineDocument {
  now: number;
  /** Turns before it have come. */
  serving: number;
  /** How many are called per second, about. */
  pace: number;
  /** 0: it is open. */
  opens: number;
  /** Which part of its wait a client has left when it is to ask again. */
  factor: number;
  /** How many wait before some turns, in order. */
  marks: { turn: number; before: number }[];
}

/** Where a client stands. */
export interface Standing {
  /** How many have to be called up to and including this client, about. */
  place: number;
  /** How long that takes at the present pace, in ms. */
  wait: number;
  /** The interval in which the client will be let in, nine times of ten, in ms from now. */
  low: number;
  high: number;
}

/** A client whose turn comes within so many ms comes with its ticket after [pollAfter], and needs no other document. */
export const FINAL = 3_000;

const POLL_LEAST = 1_000;
const POLL_MOST = 3600_000;
const LATE = 250; // those who come a little too early have to come twice
const FINAL_SPREAD = 20;
const LOW_FACTOR = 0.75, LOW_LESS = 1_000;
const HIGH_FACTOR = 1.3, HIGH_MORE = 5_000;
const LONGEST = 2 ** 61 / 1e6; // what Go's durations can hold is of that kind
const MAX_MARKS = 64;

/** Reports whether something of an answer is a number from 0 on. */
export const isCount = (v: unknown): v is number => typeof v === "number" && Number.isFinite(v) && v >= 0;

/** Returns the document in a JSON object, or null if there is none. */
export function parseDocument(body: Record<string, unknown>): LineDocument | null {
  const { now_ms: now, serving_ms: serving, pace_per_s: pace, opens_ms: opens = 0, poll_factor: factor } = body;
  if (!isCount(now) || !isCount(serving) || !isCount(pace) || !isCount(opens) || !isCount(factor)) return null;
  if (!Array.isArray(body["marks"]) || body["marks"].length > MAX_MARKS) return null;
  const marks: LineDocument["marks"] = [];
  for (const m of body["marks"] as unknown[]) {
    const { turn_ms: turn, before } = (m ?? {}) as Record<string, unknown>;
    if (!isCount(turn) || !isCount(before) || turn <= (marks.at(-1)?.turn ?? -1)) return null;
    marks.push({ turn, before });
  }
  return { now, serving, pace, opens, factor, marks };
}

/** Returns where the holder of a turn stands, or null if the turn has come. */
export function placeOf(d: LineDocument, turn: number): Standing | null {
  if (turn < d.serving && !d.opens) return null;
  let before = 0;
  for (const [i, m] of d.marks.entries()) {
    if (turn >= m.turn) {
      before = m.before;
      continue;
    }
    const from = d.marks[i - 1];
    if (from) {
      const part = (turn - from.turn) / (m.turn - from.turn);
      before = from.before + Math.trunc(part * (m.before - from.before));
    }
    break;
  }
  const called = d.pace > 0 ? Math.min(((before + 0.5) / d.pace) * 1000, LONGEST) : 0;
  const until = Math.max(d.opens - d.now, 0);
  return {
    place: before + 1, wait: called + until,
    low: Math.max(called * LOW_FACTOR - LOW_LESS, 0) + until, high: called * HIGH_FACTOR + HIGH_MORE + until,
  };
}

/**
 * Returns after how many ms a client is to ask for the next document, if this one and [placeOf] say that the turn comes
 * in so long; chance is random, from 0 to less than 1.
 */
export function pollAfter(d: LineDocument, wait: number, chance: number): number {
  if (wait <= FINAL) return Math.max(wait + LATE, POLL_LEAST) + FINAL_SPREAD * chance;
  const pause = Math.min(wait - Math.max(wait * d.factor, 0.6 * FINAL), wait * LOW_FACTOR - LOW_LESS, POLL_MOST);
  return Math.max(pause * (1 - 0.05 * chance), POLL_LEAST);
}
