// A clock and WebSockets that do what a test says.

import { readFileSync } from "node:fs";

/** Time that passes when a test says so. */
export class Clock {
  now = 0;
  day = 0; // by which the time of day is ahead
  private readonly timers = new Map<number, { at: number; every: number; run: () => void }>();
  private last = 0;

  install(): void {
    const add = (run: () => void, ms: number, every: number): number => {
      this.timers.set(++this.last, { at: this.now + ms, every, run });
      return this.last;
    };
    const remove = (id: number): void => void this.timers.delete(id);
    Object.assign(globalThis, {
      setTimeout: (run: () => void, ms: number) => add(run, ms, 0),
      setInterval: (run: () => void, ms: number) => add(run, ms, ms),
      clearTimeout: remove,
      clearInterval: remove,
    });
    Object.defineProperty(Date, "now", { value: () => this.now + this.day, configurable: true });
    Object.defineProperty(performance, "now", { value: () => this.now, configurable: true });
  }

  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = [...this.timers].filter(([, t]) => t.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!next) break;
      const [id, timer] = next;
      this.now = timer.at;
      if (timer.every) timer.at += timer.every;
      else this.timers.delete(id);
      timer.run();
    }
    this.now = end;
  }

  /** Time in which nothing runs; whether the monotonic clock goes on meanwhile depends on the system. */
  sleep(ms: number, monotonic: boolean): void {
    if (!monotonic) {
      this.day += ms;
      return;
    }
    this.now += ms;
    for (const t of this.timers.values()) t.at = Math.max(t.at, this.now);
  }

  /** Time in which other things keep the page from running; what comes meanwhile comes afterwards. */
  stall(ms: number): void {
    this.sleep(ms, true);
  }

  get running(): number {
    return this.timers.size;
  }
}

export class Socket {
  static all: Socket[] = [];
  sent: (string | Uint8Array)[] = [];
  static readonly OPEN = 1;
  readyState = 0;
  isClosed = false;
  onopen: (() => void) | null = null;
  onmessage: ((e: { data: unknown }) => void) | null = null;
  onclose: ((e: { code: number; reason: string }) => void) | null = null;

  constructor(readonly url: string, readonly protocol: string) {
    Socket.all.push(this);
  }

  send(data: string | Uint8Array): void {
    if (this.readyState !== Socket.OPEN) throw new Error("the WebSocket is not open");
    this.sent.push(data);
  }

  /** The handshake succeeds. */
  opens(): this {
    this.readyState = Socket.OPEN;
    this.onopen?.();
    return this;
  }

  /** A snapshot comes. */
  brings(tick: number): void {
    this.onmessage?.({ data: snapshot(tick) });
  }

  /** The other side closes. */
  closes(code: number, reason = ""): void {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  get greeted(): boolean {
    return this.sent.length > 0;
  }

  close(): void {
    this.isClosed = true;
  }

  /** The intents that were sent, as number, acknowledgement and action. */
  get intents(): number[][] {
    return this.sent.slice(1).map((b) => {
      const v = new DataView((b as Uint8Array).buffer as ArrayBuffer);
      return [v.getUint32(2, true), v.getUint32(6, true), v.getUint8(14)];
    });
  }
}

const full = Uint8Array.from(
  readFileSync(`${process.env["TESTDATA"]}/snapshot-full.hex`, "utf8").split("\n")
    .flatMap((l) => (l.split("#")[0] ?? "").split(/\s+/)).filter((h) => h),
  (h) => parseInt(h, 16),
);

/** A snapshot of a tick, whole. */
export function snapshot(tick: number, version = 1): ArrayBuffer {
  const b = full.slice();
  new DataView(b.buffer).setUint32(2, tick, true);
  b[0] = version;
  return b.buffer;
}
