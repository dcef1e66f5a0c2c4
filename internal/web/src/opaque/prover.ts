// The worker that computes, as the page sees it.

import type { client } from "@serenity-kit/opaque";
import { element } from "../page.ts";
import type { Outcome } from "./worker.ts";

type Client = typeof client;

/** What could not be computed: the server's message is none of OPAQUE. */
export class NotOpaque extends Error {}
/** The worker could not be loaded, or may not compute. */
export class NoWorker extends Error {}

/** Computes for one proof, after which it is over: the memory of a stretched password, 64 MiB, goes with the worker. */
export class Prover {
  private readonly worker: Worker;

  /** The prover gives up, whatever it computes, when the signal says so. */
  constructor(private readonly signal: AbortSignal) {
    signal.throwIfAborted();
    const url = new URL(element("status").dataset["worker"]!, document.baseURI);
    this.worker = new Worker(url);
  }

  /** Calls a function of the library, one at a time. Undefined: the password is not the one that was registered. */
  ask<Name extends keyof Client>(
    name: Name, params: Parameters<Client[Name]>[0],
  ): Promise<ReturnType<Client[Name]>> {
    const { signal, worker } = this;
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const abort = (): void => {
        worker.terminate();
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", abort, { once: true });
      worker.onmessage = ({ data }: MessageEvent<Outcome | null>) => {
        signal.removeEventListener("abort", abort);
        if (data) resolve(data.answer as ReturnType<Client[Name]>);
        else reject(new NotOpaque());
      };
      worker.onerror = (e) => {
        e.preventDefault();
        signal.removeEventListener("abort", abort);
        reject(new NoWorker());
      };
      worker.postMessage([name, params]);
    });
  }

  end(): void {
    this.worker.terminate();
  }
}
