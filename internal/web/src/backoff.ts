// When to try again.

/** The pause before the first retry is at most this long, in ms; each further one at most twice as long. */
export const BACKOFF_BASE = 1_000;
export const BACKOFF_CAP = 30_000;

/**
 * Returns the pause in ms before retry n, which counts from 0: exponential backoff with full jitter, see
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
 */
export function jitter(n: number, random: () => number = Math.random): number {
  return random() * Math.min(BACKOFF_CAP, BACKOFF_BASE * 2 ** n);
}

/** Waits, and rejects with the signal's reason when that is aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal.addEventListener("abort", abort, { once: true });
  });
}
