// The style sheet of what is not seen at first, which is loaded with the code of that.

import { element } from "./page.ts";

/** Returns once the page has the sheet. */
export function ready(): Promise<void> {
  const href = element("account").dataset["look"]!;
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
  return new Promise((resolve, reject) => {
    link.onload = () => resolve();
    link.onerror = () => {
      link.remove(); // the next time it is asked for again
      reject(new Error(href));
    };
    document.head.append(link);
  });
}
