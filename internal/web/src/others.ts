// Other ways in than a name and a password: with a passkey, as a guest, and by providers. The page loads this file on
// its own, after the form is there.

import { call, Refusal } from "./api.ts";
import type { By } from "./door.ts";
import { GUEST, guestSecret } from "./guest.ts";
import { providers, returned, visit, wantsLink } from "./provider.ts";
import { element, hasPasskeys, say } from "./page.ts";
import { by as byPasskey } from "./passkey.ts";
import { failure } from "./words.ts";

/** Offers the ways in that the node has, all at once; knock has the player come in by one. */
export async function offer(root: HTMLElement, knock: (by: By) => void): Promise<void> {
  const has = (element("app").dataset["others"] ?? "").split(" ");
  const buttons: HTMLElement[] = [];
  if (hasPasskeys()) buttons.push(button("passkey", "Sign in with a passkey", () => knock(byPasskey(call))));
  if (has.includes("guests")) buttons.push(button("guest", "Play as a guest", () => knock(GUEST(guestSecret()))));
  const said = Object.assign(document.createElement("p"), { id: "others-said" });
  said.dataset["kind"] = "error";
  if (has.includes("providers")) {
    for (const { name, label } of await providers(call).catch(() => [])) { // the others are there all the same
      buttons.push(button(`provider-${name}`, `Continue with ${label}`, () => void go(name)));
    }
    buttons.push(said);
  }
  root.append(...buttons);
  root.hidden = !buttons.length;
  const back = has.includes("providers") && !wantsLink() ? returned() : null;
  if (back) knock(by(back.proof));

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
