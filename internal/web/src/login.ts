// Registration and login, with the retries of the Go client: package client is the model, its texts included.

import { BadAnswer, NoAnswer, Refusal, type Session, type Shut, type Try } from "./api.ts";
import { jitter, sleep } from "./backoff.ts";
import { randomID } from "./random.ts";
import type { InLine } from "./turn.ts";
import { findWork } from "./work.ts";

export const MAX_RETRIES = 3;
/** The longest pause a server can impose, in ms. Asked for more, the attempt gives up. */
const MAX_PAUSE = 300_000;
/** The shortest time from a try that was told what work a place costs to the next, in ms. */
const LEAST_WORK = 1_000;

/** The shortest time between two tries at closed doors, in ms. */
const LEAST_SHUT = 5_000;

/** A pause before another try. */
export interface Wait {
  /** Why; empty if no answer came. */
  reason: string;
  /** How long, in ms. */
  delay: number;
  /** Counts from 1 to of. */
  retry: number;
  of: number;
  /** The mode of doors that are not open to everybody; else it is not there. */
  shut?: string;
}

/** Ends an attempt whose tries are used up. */
export class TooBusy extends Error {
  constructor(readonly last: Refusal | NoAnswer) {
    super("too busy");
  }
}

/** What an attempt needs of the world around it. */
export interface Attempt<C, S = Session> {
  /** Sends the request once. */
  send: (c: C & Try, signal: AbortSignal) => Promise<S>;
  onWait: (w: Wait) => void;
  /** A node has said whether its doors are open to everybody: null, or how they are not. */
  onDoors?: (shut: Shut | null) => void;
  /** The node has asked for work, which is being done, before it gives the player a place. */
  onWork?: () => void;
  signal: AbortSignal;
  /** Where the attempt waits if the server is busy and has a line. */
  line?: Pick<InLine, "credentials" | "wait" | "away">;
  /** How often to try again where there is no line. */
  retries?: number;
  random?: () => number;
  sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Opens a session, or does what else brings one. It tries again while the server is busy or does not answer, and never
 * earlier than the server asks for. All tries have one attempt_id, by which the server knows a try whose answer was lost.
 *
 * Where the server has a line, the attempt waits there for its turn, and from then on for as long as it takes: its
 * place is kept while no answer comes, and is worth more than a few tries.
 */
export async function authenticate<C, S = Session>(a: Attempt<C, S>, c: C): Promise<S> {
  const credentials: C & Try = { ...c, attempt_id: randomID() };
  const retries = a.retries ?? MAX_RETRIES;
  let line = a.line;
  let waited = false;
  let proof = "";
  for (let retry = 1; ; retry++) {
    try {
      return await a.send({ ...credentials, ...line?.credentials, ...(line && proof ? { line_work: proof } : {}) }, a.signal);
    } catch (err) {
      a.signal.throwIfAborted();
      if (line && knowsNoLine(err)) {
        line = undefined;
        retry--;
        continue;
      }
      const no = err instanceof Refusal ? err : null, asked = no?.retryAfter ?? 0;
      if (no) a.onDoors?.(no.shut);
      if (line && no?.told) {
        waited = true;
        retry = 0;
        proof = "";
        await line.wait(no.told);
        continue;
      }
      if (line && no?.work && asked <= MAX_PAUSE) {
        if (!proof) retry = 0; // one that the node does not take counts as a retry
        if (retry > retries) throw new TooBusy(no);
        a.onWork?.();
        const begun = performance.now();
        proof = await findWork(no.work, line.credentials.line_secret, a.signal);
        const rest = Math.max(asked, LEAST_WORK) - (performance.now() - begun);
        if (rest > 0) await (a.sleep ?? sleep)(rest, a.signal);
        continue;
      }
      if (no?.shut) { // it is not the server that is busy, and it takes as long as it takes
        retry = 0;
        const delay = Math.max(asked, LEAST_SHUT);
        a.onWait({ reason: no.reason, delay, retry, of: Infinity, shut: no.shut.mode });
        await (a.sleep ?? sleep)(delay, a.signal);
        continue;
      }
      if (line && waited && (passes(err) || err instanceof BadAnswer || isLimited(err) && asked <= MAX_PAUSE)) {
        await line.away(err, retry - 1);
        continue;
      }
      if (!passes(err)) throw err;
      if (retry > retries || asked > MAX_PAUSE) throw new TooBusy(err);
      const delay = Math.max(jitter(retry - 1, a.random), asked);
      a.onWait({ reason: no?.reason ?? "", delay, retry, of: retries });
      await (a.sleep ?? sleep)(delay, a.signal);
    }
  }
}

/** Reports whether it may help to try again. */
function passes(err: unknown): err is Refusal | NoAnswer {
  if (err instanceof NoAnswer) return true;
  return err instanceof Refusal && (err.reason === "server-busy" || err.reason === "request-expired");
}

/** Reports whether a node of before there was a line has refused a request for saying something of it. */
function knowsNoLine(err: unknown): boolean {
  if (!(err instanceof Refusal) || err.reason !== "missing-credentials") return false;
  return err.words.startsWith("The body has a field other than ") && !err.words.includes("line_secret");
}

/** Reports whether the player's network has to stay away. */
function isLimited(err: unknown): err is Refusal {
  return err instanceof Refusal && err.reason === "rate-limited";
}
