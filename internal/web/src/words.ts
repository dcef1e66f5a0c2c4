// What the player is told.

import { BadAnswer, NoAnswer, Refusal, type Lost } from "./api.ts";
import type { Kind } from "./turn.ts";
import { TooBusy, type Wait } from "./login.ts";

const MINUTE = 60_000, HOUR = 60 * MINUTE; // ms

/** Returns what to show during a pause of which so many ms are left. */
export function waiting(w: Wait, left: number): string {
  if (w.shut) return `${w.shut === "closed" ? "" : NOT_LISTED + " "}Trying again ${inAWhile(Math.max(left, 1))}.`;
  const what = w.reason ? "Server is busy" : "No answer from the server";
  const seconds = Math.max(1, Math.ceil(left / 1000));
  return `${what}, retrying in ${seconds} s${w.of < Infinity ? ` (${w.retry} of ${w.of})` : ""}`;
}

/** What a player reads while the page works for a place in the line. */
export const ASKING = "Server is busy, asking for a place in line…";

/** What a player reads while the node ends, and saves, the session that another takes the place of. */
export const ENDING_OTHER = "Ending the other session…";

/** Returns why a login without a password did not succeed. */
export function comeBackFailure(err: unknown): string {
  const unknown = err instanceof Refusal && err.reason === "bad-credentials";
  return unknown ? "You are no longer logged in on this device. Please type your password." : failure(err);
}

/** What the form is for. */
export const INTRO: Record<Kind, string> = {
  login: "Log in to go on where you left off.",
  register: "New here? Choose a name and a password, and you are in.",
};

export const NOT_THE_SAME = "The two passwords are not the same.";

/** What a player reads whose account asks for a code besides the password. */
export const TYPE_CODE = "Please type the code that your authenticator app shows, or a recovery code.";
export const WRONG_CODE = "That code is wrong, or was used before. Please type the next one.";

/** What a player hears who attacks and hits nothing. */
export const OUT_OF_REACH = "Nothing is near enough to hit.";

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

/** Returns what it says above what the operator says, at doors that are not open to everybody. */
export function closedTitle(mode: string): string {
  switch (mode) {
    case "staff":
      return "The server is open to staff only for now";
    case "allowlist":
      return "The server is open to some players only";
  }
  return "The server is closed for now";
}

/** Returns when doors are to open, as seen from a moment; both in ms since 1970. */
export function opening(at: number, now: number): string {
  if (!at) return "This page tries again by itself.";
  if (at <= now) return "It should open any moment. This page tries again by itself.";
  const sameDay = new Date(at).toDateString() === new Date(now).toDateString();
  const when = new Date(at).toLocaleString("en-GB", { dateStyle: sameDay ? undefined : "medium", timeStyle: "short" });
  return `It is to open ${sameDay ? "at" : "on"} ${when}, ${inAWhile(at - now)}. This page tries again by itself.`;
}

/** What a player hears who knocks while only some are let in. */
const NOT_LISTED = "You are not let in for now: only some players are, or the name or the password is wrong.";

/** Returns when something is due, in so many ms; 0 is not known. */
export function inAWhile(ms: number): string {
  if (!ms) return "later";
  if (ms <= 89_000) return `in ${Math.ceil(ms / 1000)} s`;
  if (ms <= 2 * HOUR) return `in ${Math.ceil(ms / MINUTE)} minutes`;
  return ms <= 48 * HOUR ? `in ${Math.ceil(ms / HOUR)} hours` : `in ${Math.ceil(ms / HOUR / 24)} days`;
}

/** Returns how long a wait lasts that ends between so many ms from now. */
export function timeLeft(low: number, high: number): string {
  if (high <= 15_000) return "a few seconds";
  if (high <= 60_000) return "less than a minute";
  if (high > 24 * HOUR) return "more than a day";
  const [unit, step, name] = high > 90 * MINUTE ? [HOUR, 0.5, "hours"]
    : [MINUTE, high > 20 * MINUTE ? 5 : 1, "minutes"];
  const [from, to] = [Math.floor(low / unit / step) * step, Math.ceil(high / unit / step) * step];
  if (from < 1) return `less than ${half(to)} ${name}`;
  return `about ${from < to ? `${half(from)} to ` : ""}${half(to)} ${name}`;
}

/** Returns a number of halves. */
const half = (n: number): string => Math.floor(n) + (n % 1 ? "½" : "");

/** Returns how long ago something was. */
export function ago(ms: number): string {
  if (ms < 10_000) return "just now";
  if (ms < MINUTE) return `${Math.floor(ms / 10_000) * 10} seconds ago`;
  const [n, unit] = ms < 2 * HOUR ? [Math.floor(ms / MINUTE), "minute"] : [Math.floor(ms / HOUR), "hour"];
  return `${n} ${unit}${n === 1 ? "" : "s"} ago`;
}

/** Returns a time as clocks show it: 1:05, 2:00:00. */
export function clock(ms: number): string {
  const s = Math.max(Math.ceil(ms / 1000), 0);
  const pad = (n: number): string => String(n % 60).padStart(2, "0");
  const [m, h] = [Math.floor(s / 60), Math.floor(s / 3600)];
  return h ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

/** Returns what a player reads whose turn has come, and whose password the page does not have. */
export const turnCame = (kind: Kind): string =>
  `It is your turn, for a few minutes. Please type your password and press ${kind === "login" ? "Log in" : "Register"}.`;

/** Returns what has become of a place that is no more. */
export function lost(why: Lost): string {
  const what = {
    expired: "Your turn had come and gone before this page came back",
    used: "Your place has been used already, perhaps in another tab",
    unknown: "The server did not recognize your place",
  }[why || "unknown"];
  return what + ", so you have a new one further back.";
}

/** Returns why the line was not heard of; the place is kept, and there is another try in so many ms. */
export function away(why: unknown, left: number): string {
  const what = why instanceof Refusal
    ? why.reason === "rate-limited" ? "There were too many failed attempts from your network" : "The server is busy"
    : "The server does not answer";
  return `${what}. Your place is kept; trying again ${inAWhile(Math.max(left, 1))}.`;
}

/** Returns what a player reads when the node has said that it goes down, so many ms ago. */
export const restarting = (gone: number): string =>
  gone < MINUTE ? "The server is restarting. You stay logged in…" : "The server is not back yet…";

/** Returns what to say of tries to get back, the next of which is in so many ms, and which have gone on for so many. */
export function trying(left: number, gone: number): string {
  if (left > 1_000) return `Trying again ${inAWhile(left)}.`;
  if (gone < 3_000) return "";
  return `Trying for ${gone < 2 * MINUTE ? `${Math.floor(gone / 1000)} s` : `${Math.floor(gone / MINUTE)} minutes`} so far.`;
}

/** The numbers of docs/protocol.md, as players call them. */
export const count = (n: bigint | number): string => n.toLocaleString("en");
