// A device on which the player stays logged in.
//
// What opens the door is a token in a cookie that no script can read, this page's neither; the server changes it with
// each use. The page knows only that there is one: the player's name, in localStorage, and, while a use has not been
// answered, its attempt_id, on which all tabs have to agree: see agreed.ts.

import { agree, agreed } from "./agreed.ts";
import { alone } from "./alone.ts";
import { base, forgetDevice, Refusal, resume, type Session } from "./api.ts";
import { randomID } from "./random.ts";

/** What localStorage has of the device. */
interface Known {
  name: string;
  /** As attempt of Device, where the browser has no IndexedDB, and of a page of before; else empty. */
  attempt: string;
  /** The player has logged out, and the server has yet to hear of it. */
  over: boolean;
}

/** For so long the call that ends a device waits for another tab, in ms. */
const PATIENCE = 45_000;

export class Device {
  /** Whether the browser can remember anything. */
  readonly usable: boolean;
  private readonly key: string;
  private readonly lock: string;

  // There may be other nodes below other paths of the origin.
  constructor(path: string = base().pathname) {
    this.key = `rushgate.device ${path}`;
    this.lock = `${this.key} lock`;
    this.usable = canStore(this.key);
  }

  /** Whose device it is, or "" if no player is logged in on it for good. */
  get name(): string {
    const known = this.read();
    return known && !known.over ? known.name : "";
  }

  /** Whether the server has yet to be told that the player has logged out. */
  get leaving(): boolean {
    return this.read()?.over ?? false;
  }

  /** Notes that the server has given this browser a token. */
  remember(name: string): void {
    this.write({ name, attempt: "", over: false });
    agree(this.key, "").catch(() => undefined); // what went before was another's
  }

  /** Calls f, whose answer changes the cookie, while no other tab does the like. */
  alone<T>(signal: AbortSignal, f: () => Promise<T>): Promise<T> {
    return alone(this.lock, signal, f);
  }

  /**
   * Has the server forget the device, and end the session, if one is given. The page forgets it at once, and until the
   * server has answered, each loading of the page tells it again.
   */
  async leave(token = ""): Promise<void> {
    if (this.read()) this.write({ name: "", attempt: "", over: true });
    await this.alone(AbortSignal.timeout(PATIENCE), () => forgetDevice(token));
    if (this.leaving) this.forget();
  }

  /**
   * Opens a session with the token. Two tabs never use it at once, which the server would have to take for a theft; and
   * until the server has answered with a session, each use has the same attempt_id, be it another tab's or days later.
   */
  async resume(takeover: boolean, signal: AbortSignal): Promise<Session> {
    return this.alone(signal, async () => {
      const known = this.read();
      if (!known || known.over) throw new Refusal("bad-credentials"); // logged out in another tab meanwhile
      const attempt = await this.attempt(known);
      try {
        const session = await resume({ attempt_id: attempt, ...(takeover ? { takeover } : {}) }, signal);
        await this.keep("");
        return session;
      } catch (err) {
        if (err instanceof Refusal && err.reason === "bad-credentials") this.forget();
        throw err;
      }
    });
  }

  /** Returns the attempt_id of a use that has not been answered, if there is one: the server may have taken it. */
  private async attempt(known: Known): Promise<string> {
    const attempt = await agreed(this.key).catch(() => "") || known.attempt || randomID();
    await this.keep(attempt);
    return attempt;
  }

  /** Keeps the attempt_id of a use that is not answered yet, or an empty one. */
  private async keep(attempt: string): Promise<void> {
    const left = await agree(this.key, attempt).then(() => "", () => attempt);
    const known = this.read();
    if (known) this.write({ ...known, attempt: left });
  }

  /** The server has said that there is no such device. */
  private forget(): void {
    if (this.usable) localStorage.removeItem(this.key);
  }

  private read(): Known | null {
    try {
      const k = JSON.parse(localStorage.getItem(this.key) ?? "null") as Known | null;
      if (!k || typeof k.name !== "string" || typeof k.attempt !== "string" || typeof k.over !== "boolean") return null;
      return /^([\w-]{16,64})?$/.test(k.attempt) && (k.name || k.over) ? k : null;
    } catch {
      return null;
    }
  }

  private write(known: Known): void {
    if (this.usable) localStorage.setItem(this.key, JSON.stringify(known));
  }
}

function canStore(key: string): boolean {
  try {
    localStorage.setItem(key + " try", "1");
    localStorage.removeItem(key + " try");
    return true;
  } catch {
    return false;
  }
}
