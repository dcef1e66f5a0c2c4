// What of a password a server sees to that is shown it, and a client has to where none is.

import { element } from "../page.ts";
import common from "../../../../commonpasswords.txt";

/** Returns the form in which a password is proved, the same on every keyboard and system: see docs/opaque.md. */
export const prepared = (password: string): string => password.replace(/\p{Zs}/gu, " ").normalize("NFC");

/** Returns what is wrong with a new password, or "": the rules are those of rushgate.NewPassword. */
export function wrongWith(password: string, username: string): string {
  const p = prepared(password), least = Number(element("app").dataset["passwordMin"]) || 8;
  const folded = (s: string): string => s.normalize("NFKC").trim().toLowerCase();
  if (/\p{Cc}/u.test(p)) return "Invalid password: it contains characters that are not allowed.";
  if ([...p].length < least) return `Invalid password: it must have at least ${least} characters.`;
  if (folded(p) === folded(username)) return "Invalid password: it must not be the username.";
  const oneCharacter = new Set(p).size === 1;
  if (oneCharacter || common.split("\n").includes(folded(p))) {
    return "Invalid password: it is one of the commonest, which are guessed first.";
  }
  return "";
}
