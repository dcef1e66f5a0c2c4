// Other ways in than a name and a password: with a passkey, as a guest, and by providers. The page loads this file on
// its own, after the form is there.

import { call, Refusal } from "./api.ts";
import type { By } from "./door.ts";
import { GUEST, guestSecret } from "./guest.ts";
import { providers, returned, visit, wantsLink } from "./provider.ts";
import { element, hasPasskeys, say } from "./page.ts";
import { by as byPasskey } from "./passkey.ts";
import { failure } from "./words.ts";

/** Offers the ways in that the node has; knock has the player come in by one. */
export async function offer(root: HTMLElement, knock: (by: By) => void): Promise<void> {
  const has = (element("app").dataset["others"] ?? "").split(" ");
  const said = document.createElement("p");
  said.id = "others-said";
  said.dataset["kind"] = "error";
  root.append(said);
  root.hidden = false;
  if (hasPasskeys()) root.append(button("passkey", "Sign in with a passkey", () => knock(byPasskey(call))));
  if (has.includes("guests")) root.append(button("guest", "Play as a guest", () => knock(GUEST(guestSecret()))));
  if (!has.includes("providers")) return;
  const back = wantsLink() ? null : returned();
  if (back) knock(by(back.proof));
  try {
    for (const { name, label } of await providers(call)) {
      root.append(button(`provider-${name}`, `Continue with ${label}`, () => void go(name)));
    }
  } catch {
    // The others are there all the same.
  }

  async function go(name: string): Promise<void> {
    said.textContent = "";
    try {
      await visit(call, name);
    } catch (err) {
      const text = err instanceof Refusal && err.words ? err.words : failure(err);
      said.textContent = text;
      say(text);
    }
  }
}

/** Returns the way in of a player for whom a provider has vouched. */
const by = (proof: string): By => ({
  path: "identity", text: "Logging in…", wrong: "That is not good here any more. Please try again.",
  show: () => Promise.resolve({ proof }),
});

function button(id: string, text: string, onClick: () => void): HTMLButtonElement {
  const b = Object.assign(document.createElement("button"), { id, type: "button", textContent: text });
  b.addEventListener("click", onClick);
  return b;
}
