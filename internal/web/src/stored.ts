// The session, and the place in the line, over a reload of the page.
//
// The token is kept in sessionStorage, which belongs to one tab and goes with it. localStorage would give it to all
// tabs and keep it for ever; a cookie would be sent by itself, with requests that other sites cause, too. It is of use
// for half a minute after the page is gone. The same goes for the ticket of a place and the secret that it is good
// with. The password is kept nowhere.

import type { Session } from "./api.ts";
import { randomID } from "./random.ts";
import type { Place } from "./turn.ts";

const SESSION = "rushgate.session";
const PLACE = "rushgate.place";
/** What was last heard of so long ago, in ms, is no place any more: lines are eight hours long at most. */
const PLACE_AGE = 12 * 3600_000;

export const keepSession = (s: Session): void => keep(SESSION, s);
export const forgetSession = (): void => forget(SESSION);

export function keptSession(): Session | null {
  const s = kept<Session>(SESSION);
  return s && typeof s.token === "string" && typeof s.playerID === "number" ? s : null;
}

// That a player has been inside is kept for good: the next visit begins with a login, and not with a registration.
const PLAYED = "rushgate.played";

export function notePlayed(): void {
  try {
    localStorage.setItem(PLAYED, "1");
  } catch {
    // Without storage each visitor is a newcomer.
  }
}

export function hasPlayed(): boolean {
  try {
    return localStorage.getItem(PLAYED) !== null;
  } catch {
    return false;
  }
}

// What the browser is called towards the node, whoever plays in it: chosen once, and kept for good. It is no secret, and
// opens nothing.
const DEVICE = "rushgate.device-id";

/** Returns the name of this browser, or an empty string if it can keep none. */
export function deviceID(): string {
  try {
    const known = localStorage.getItem(DEVICE) ?? "";
    if (/^[\w-]{16,64}$/.test(known)) return known;
    const id = randomID();
    localStorage.setItem(DEVICE, id);
    return id;
  } catch {
    return "";
  }
}

export const keepPlace = (p: Place): void => keep(PLACE, p);
export const forgetPlace = (): void => forget(PLACE);

export function keptPlace(): Place | null {
  const p = kept<Place>(PLACE);
  if (!p || [p.secret, p.ticket, p.name].some((s) => typeof s !== "string")) return null;
  if (!/^[\w-]{16,64}$/.test(p.secret) || !/^[\w-]{0,128}$/.test(p.ticket)) return null;
  if (![p.turn, p.first, p.place, p.done, p.soon, p.next, p.heard].every(Number.isFinite) || !p.turn) return null;
  return (p.kind === "login" || p.kind === "register") && Math.abs(Date.now() - p.heard) < PLACE_AGE ? p : null;
}

function keep(key: string, value: unknown): void {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Without storage a reload ends the game or the wait, and nothing else.
  }
}

function kept<T>(key: string): T | null {
  try {
    const v: unknown = JSON.parse(sessionStorage.getItem(key) ?? "null");
    return typeof v === "object" ? v as T : null;
  } catch {
    return null;
  }
}

function forget(key: string): void {
  try {
    sessionStorage.removeItem(key);
  } catch {
    // There is none.
  }
}
