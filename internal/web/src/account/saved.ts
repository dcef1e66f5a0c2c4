// What a player takes out of the page: into a file, or to the clipboard.

import { button, make } from "./make.ts";

/** Has the browser save a text as a file. */
export function save(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // by then the browser has it
}

/** Returns a button that copies a text, and what was told of it is said. */
export function copier(id: string, label: string, text: () => string, tell: (said: string, failed?: boolean) => void):
  HTMLButtonElement {
  return button(id, label, () => {
    // Where the page came by plain HTTP over the network there is no clipboard.
    const copied = navigator.clipboard ? navigator.clipboard.writeText(text()) : Promise.reject(new Error("none"));
    copied.then(() => tell("Copied."), () => tell("The browser does not let this page copy. Please select it by hand.", true));
  });
}
