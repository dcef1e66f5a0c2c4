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

/** Loads the code of what few visitors see, which an element names, and waits until what that needs is there. */
export async function load<Code>(e: HTMLElement): Promise<Code> {
  const url = new URL(e.dataset["code"]!, document.baseURI).href;
  const code = await import(url) as Code & { ready?: () => Promise<void> };
  await code.ready?.();
  return code;
}

/** Reports whether a player may come in with a passkey on this page: the node has them for it, and the browser has any. */
export const hasPasskeys = (): boolean =>
  "PublicKeyCredential" in globalThis && Boolean(element("app").dataset["passkeys"]?.split(" ").includes(location.origin));

/** Reports whether the node knows OPAQUE, by which no password has to be sent: see the folder opaque. */
export const hasOpaque = (): boolean => Boolean(element("app").dataset["opaque"]);
