// What computes for OPAQUE, in a worker: the library is WebAssembly, and stretches a password for a second or so, which
// the page's own thread has no time for. The node serves this file with a policy of its own: it may compile
// WebAssembly, and fetch nothing.

import { client, ready } from "@serenity-kit/opaque";

/** What can be computed: a function of the library, and what it takes. */
export type Question = {
  [Name in keyof typeof client]: [name: Name, params: Parameters<(typeof client)[Name]>[0]]
}[keyof typeof client];

/** What has come of it: nothing if the password is not the one that was registered. */
export type Outcome = { answer?: object | undefined };

addEventListener("message", ({ data: [name, params] }: MessageEvent<Question>) => {
  void ready.then(() => ({ answer: (client[name] as (p: unknown) => object | undefined)(params) }))
    .then((o: Outcome) => postMessage(o), () => postMessage(null)); // a message of the server that is none
});
