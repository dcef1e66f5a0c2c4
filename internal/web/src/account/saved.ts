// What a player takes out of the page: into a file, or to the clipboard.

import { button, make } from "./make.ts";

/** Has the browser save a text as a file. */
export function save(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // by then the browser has it
}

const NO_COPY = "The browser does not let this page copy. Please select it by hand.";

/** Returns a button that copies a text, and tells whether it has. */
export function copier(
  id: string, label: string, text: () => string, tell: (said: string, failed?: boolean) => void,
): HTMLButtonElement {
  return button(id, label, () => {
    // Where the page came by plain HTTP over the network there is no clipboard.
    const copied = navigator.clipboard ? navigator.clipboard.writeText(text()) : Promise.reject(new Error("none"));
    copied.then(() => tell("Copied."), () => tell(NO_COPY, true));
  });
}
