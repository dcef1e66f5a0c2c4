// One tab at a time.

import { sleep } from "./backoff.ts";
import { randomID } from "./random.ts";

/** A word in the storage holds for so long at most, in ms: longer than any call of the server takes. */
const HOLD = 40_000;
/** After so long a look at the storage tells which of two tabs has the lock, in ms. */
const SETTLE = 60;

/**
 * Calls f while no other tab of the page's origin is in a call with the same name. Browsers have locks for that, but
 * only where the page came by TLS or from the machine itself; elsewhere a word in localStorage has to do.
 */
export function alone<T>(name: string, signal: AbortSignal, f: () => Promise<T>): Promise<T> {
  const locks = navigator.locks as LockManager | undefined;
  return locks ? locks.request(name, { signal }, f) as Promise<T> : withWord(name, signal, f);
}

interface Word { id: string; until: number }

/** alone with a word in localStorage. It is given up when f has ended, or when its time is over. */
export async function withWord<T>(name: string, signal: AbortSignal, f: () => Promise<T>): Promise<T> {
  const id = randomID();
  do {
    const wait = left(read(name));
    if (wait > 0) {
      await sleep(Math.min(wait, SETTLE), signal);
      continue;
    }
    localStorage.setItem(name, JSON.stringify({ id, until: Date.now() + HOLD } satisfies Word));
    await sleep(SETTLE * (1 + Math.random()), signal); // another tab may have written at the same time
  } while (read(name)?.id !== id);
  try {
    return await f();
  } finally {
    if (read(name)?.id === id) localStorage.removeItem(name);
  }
}

/** Returns for how long another tab's word still holds, in ms. A clock that was set back does not prolong it. */
function left(word: Word | null): number {
  const ms = word ? word.until - Date.now() : 0;
  return ms <= HOLD ? ms : 0;
}

function read(name: string): Word | null {
  try {
    const w = JSON.parse(localStorage.getItem(name) ?? "null") as Word | null;
    return w && typeof w.id === "string" && typeof w.until === "number" ? w : null;
  } catch {
    return null;
  }
}
