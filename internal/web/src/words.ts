// What the player is told.

import { BadAnswer, NoAnswer, Refusal } from "./api.ts";
import { MAX_RETRIES, TooBusy, type Wait } from "./login.ts";

/** Returns what to show during a pause of which so many ms are left. */
export function waiting(w: Wait, left: number): string {
  const what = w.reason ? "Server is busy" : "No answer from the server";
  const seconds = Math.max(1, Math.ceil(left / 1000));
  return `${what}, retrying in ${seconds} s (${w.retry} of ${MAX_RETRIES})`;
}

/** Returns why a registration, a login or a logout did not succeed. */
export function failure(err: unknown): string {
  if (err instanceof TooBusy) {
    return err.last instanceof NoAnswer
      ? "No answer from the server. Please check your connection and try again later."
      : "Server is too busy. Please try again later.";
  }
  if (err instanceof NoAnswer) return "No answer from the server.";
  if (err instanceof Refusal) return refused(err);
  if (err instanceof BadAnswer) return "The server’s answer makes no sense. Is this a Rushgate node?";
  return "Something went wrong in this page. Please reload it.";
}

function refused(r: Refusal): string {
  switch (r.reason) {
    case "server-busy":
    case "request-expired":
      return "Server is busy. Please try again later.";
    case "rate-limited":
      return `Too many failed attempts from your network. Please try again ${inAWhile(r.retryAfter)}.`;
    case "bad-credentials":
      return "Wrong user name or password.";
    case "username-taken":
      return "This user name is taken. Please choose another one.";
    case "already-logged-in":
      return "You are already playing, perhaps on another device or in another tab.";
    case "missing-credentials":
      return r.words || "Please check the user name and the password.";
    case "wrong-zone":
      return "Your character is in a part of the world that another server looks after"
        + (r.address ? `: ${r.address}` : ".");
    case "internal-error":
      return "Something went wrong on the server. Please try again later.";
  }
  return r.words || `The server said no: ${r.reason}.`;
}

function inAWhile(ms: number): string {
  if (!ms) return "later";
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 90) return `in ${seconds} s`;
  return `in ${Math.ceil(seconds / 60)} minutes`;
}

/** The numbers of docs/protocol.md, as players call them. */
export const count = (n: bigint | number): string => n.toLocaleString("en");
