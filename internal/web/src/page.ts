// The elements of index.html.

/** Returns the element with an id, which index.html has. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

/** Sets a text, and leaves the page alone if it is there already. */
export function setText(e: Element, text: string): void {
  if (e.textContent !== text) e.textContent = text;
}

/** Tells something to those who do not see the page. */
export function say(text: string): void {
  setText(element("said"), text);
}

/** Returns the address of the code that an element stands for, which is loaded when it is first asked for. */
export const codeOf = (e: HTMLElement): string => new URL(e.dataset["code"]!, document.baseURI).href;

/** Reports whether a player may come in with a passkey on this page: the node has them for it, and the browser has any. */
export const hasPasskeys = (): boolean =>
  "PublicKeyCredential" in globalThis && Boolean(element("app").dataset["passkeys"]?.split(" ").includes(location.origin));
