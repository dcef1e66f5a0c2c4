// The session over a reload of the page.
//
// The token is kept in sessionStorage, which belongs to one tab and goes with it. localStorage would give it to all
// tabs and keep it for ever; a cookie would be sent by itself, with requests that other sites cause, too. It is of use
// for half a minute after the page is gone.

import type { Session } from "./api.ts";

const KEY = "rushgate.session";

export function keepSession(s: Session): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(s));
  } catch {
    // Without storage a reload ends the game, and nothing else.
  }
}

export function keptSession(): Session | null {
  try {
    const s = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Session | null;
    return s && typeof s.token === "string" && typeof s.playerID === "number" ? s : null;
  } catch {
    return null;
  }
}

export function forgetSession(): void {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // There is none.
  }
}
