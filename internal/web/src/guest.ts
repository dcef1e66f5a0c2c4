// The guest that a browser is: a secret of its own, by which the node knows the player again. Whoever has it has the
// player, so it is in no address and nowhere but in this browser's storage, which goes with the site's data.

import type { By } from "./door.ts";
import { text } from "./passkey.ts";

const KEY = "rushgate.guest";

/** Returns the secret of this browser, or an empty string if it has been no guest. */
export function knownGuest(): string {
  try {
    const known = localStorage.getItem(KEY) ?? "";
    return /^[\w-]{43}$/.test(known) ? known : "";
  } catch {
    return "";
  }
}

/** Returns the secret of this browser, which is made and kept if there is none. Without storage it is good for once. */
export function guestSecret(): string {
  const known = knownGuest();
  if (known) return known;
  const made = text(crypto.getRandomValues(new Uint8Array(32)).buffer);
  try {
    localStorage.setItem(KEY, made);
    return localStorage.getItem(KEY) ?? made; // another tab may have been ahead
  } catch {
    return made;
  }
}

/** Returns the way in as a guest. */
export const GUEST = (secret: string): By => ({
  path: "guest", text: "Coming in as a guest…", wrong: "Guests cannot come in here any more.",
  show: () => Promise.resolve({ secret }),
});
