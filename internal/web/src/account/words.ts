// What the account page tells the player in more than one section.

import { NoAnswer, Refusal } from "../api.ts";
import { failure, inAWhile } from "../words.ts";

/** Returns a day as people write it, "29 Nov 2026". time is in ms since 1970. */
export const date = (time: number): string =>
  new Date(time).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** Returns a moment as people write it, "29 Nov 2026, 07:05". time is in ms since 1970. */
export const moment = (time: number): string => `${date(time)}, ${new Date(time).toLocaleTimeString("en-GB",
  { hour: "2-digit", minute: "2-digit" })}`;

/** Returns what a player reads whose account is to be deleted. */
export const doomed = (at: number): string => `Your account will be deleted on ${moment(at)}.`;

/** Returns for how long a code is good, of so many ms; 0 is not known. */
export const within = (ms: number): string => ms ? `within ${Math.round(ms / 60_000)} minutes` : "soon";

/** What a player reads after a change whose answer was lost. */
export const MAYBE = "It may have been done all the same.";

/** Returns why a call about the account did not succeed. */
export function refused(err: unknown): string {
  if (err instanceof NoAnswer) return "No answer from the server. Please try again.";
  if (!(err instanceof Refusal)) return failure(err);
  switch (err.reason) {
    case "rate-limited": // each account has so many calls in a while
      return `That was a lot at once. Please try again ${inAWhile(err.retryAfter)}.`;
    case "bad-credentials":
      return "Your session has ended.";
  }
  return failure(err);
}
