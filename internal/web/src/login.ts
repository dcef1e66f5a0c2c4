// Registration and login, with the retries of the Go client: package client is the model, its texts included.

import { NoAnswer, Refusal, type Credentials, type Session } from "./api.ts";
import { jitter, sleep } from "./backoff.ts";

export const MAX_RETRIES = 3;
/** The longest pause a server can impose, in ms. Asked for more, the attempt gives up. */
const MAX_PAUSE = 300_000;

/** A pause before another try. */
export interface Wait {
  /** Why; empty if no answer came. */
  reason: string;
  /** How long, in ms. */
  delay: number;
  /** Counts from 1 to MAX_RETRIES. */
  retry: number;
}

/** Ends an attempt whose tries are used up. */
export class TooBusy extends Error {
  constructor(readonly last: Refusal | NoAnswer) {
    super("too busy");
  }
}

/** What an attempt needs of the world around it. */
export interface Attempt {
  /** Sends the request once. */
  send: (c: Credentials, signal: AbortSignal) => Promise<Session>;
  onWait: (w: Wait) => void;
  signal: AbortSignal;
  random?: () => number;
  sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Opens a session. It tries again while the server is busy or does not answer, and never earlier than the server asks
 * for. All tries have one attempt_id, by which the server knows a try whose answer was lost.
 */
export async function authenticate(a: Attempt, c: Omit<Credentials, "attempt_id">): Promise<Session> {
  const credentials: Credentials = { ...c, attempt_id: attemptID() };
  for (let retry = 1; ; retry++) {
    try {
      return await a.send(credentials, a.signal);
    } catch (err) {
      a.signal.throwIfAborted();
      if (!passes(err)) throw err;
      const asked = err instanceof Refusal ? err.retryAfter : 0;
      if (retry > MAX_RETRIES || asked > MAX_PAUSE) throw new TooBusy(err);
      const delay = Math.max(jitter(retry - 1, a.random), asked);
      a.onWait({ reason: err instanceof Refusal ? err.reason : "", delay, retry });
      await (a.sleep ?? sleep)(delay, a.signal);
    }
  }
}

/** Reports whether it may help to try again. */
function passes(err: unknown): err is Refusal | NoAnswer {
  if (err instanceof NoAnswer) return true;
  return err instanceof Refusal && (err.reason === "server-busy" || err.reason === "request-expired");
}

/** Returns 128 random bits. Not crypto.randomUUID, which plain HTTP beyond loopback does not have. */
function attemptID(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}
