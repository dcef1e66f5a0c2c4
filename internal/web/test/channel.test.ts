// The channel against a WebSocket and a clock of the test's own.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Channel, type Ending } from "../src/channel.ts";

/** Time that passes when a test says so. */
class Clock {
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

  get running(): number {
    return this.timers.size;
  }
}

class Socket {
  static all: Socket[] = [];
  sent: (string | Uint8Array)[] = [];
  static readonly OPEN = 1;
  readyState = Socket.OPEN;
  isClosed = false;
  onopen: (() => void) | null = null;
  onmessage: ((e: { data: unknown }) => void) | null = null;
  onclose: ((e: { code: number; reason: string }) => void) | null = null;

  constructor(readonly url: string, readonly protocol: string) {
    Socket.all.push(this);
  }

  send(data: string | Uint8Array): void {
    this.sent.push(data);
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
function snapshot(tick: number, version = 1): ArrayBuffer {
  const b = full.slice();
  new DataView(b.buffer).setUint32(2, tick, true);
  b[0] = version;
  return b.buffer;
}

function open(refused?: () => Promise<boolean>) {
  const clock = new Clock();
  clock.install();
  Socket.all = [];
  Object.assign(globalThis, { WebSocket: Socket });
  const log: string[] = [];
  const channel = new Channel("wss://a.example/v1/channel", "secret", {
    onOpen: () => log.push("open"),
    onLost: () => log.push("lost"),
    onEnd: (why: Ending) => log.push(why),
    onSnapshot: (s) => log.push(`tick ${s.tick}`),
    onSent: () => undefined,
  }, refused);
  const socket = (): Socket => Socket.all.at(-1) as Socket;
  return { clock, channel, log, socket };
}

test("greets, acknowledges and repeats", () => {
  const { clock, channel, log, socket } = open();
  const s = socket();
  assert.equal(s.protocol, "rushgate.v1");
  s.onopen?.();
  assert.deepEqual(s.sent, ['{"session_token":"secret"}']);
  channel.want({ moveX: 1, moveY: 0, action: 0 });
  clock.pass(500);
  assert.equal(s.sent.length, 1, "no intents before the first snapshot");
  for (let tick = 3; tick <= 60; tick += 3) {
    s.onmessage?.({ data: snapshot(tick) });
    clock.pass(50);
  }
  assert.equal(log[0], "open");
  assert(s.intents.length >= 10 && s.intents.length <= 12, `${s.intents.length} intents in a second`);
  assert.deepEqual(s.intents.map((i) => i[0]), s.intents.map((_, i) => i + 1));
  assert(s.intents.every((i, n) => (i[1] ?? 0) >= (s.intents[n - 1]?.[1] ?? 3)), "newer and newer acknowledgements");
  const before = s.intents.length;
  channel.want({ moveX: 1, moveY: 0, action: 1 });
  clock.pass(40);
  assert.deepEqual(s.intents.slice(before).map((i) => i[2]), [1], "a change goes out at once");
  channel.stop();
  assert.equal(clock.running, 0);
  assert(s.isClosed);
});

test("shows nothing twice, late or malformed", () => {
  const { log, socket } = open();
  for (const data of [snapshot(9), snapshot(6), snapshot(9), Uint8Array.of(1, 2, 3).buffer, "text", snapshot(12)]) {
    socket().onmessage?.({ data });
  }
  assert.deepEqual(log, ["open", "tick 9", "tick 12"]);
});

test("a lost connection is made again, from nothing", () => {
  const { clock, log, socket } = open();
  socket().onmessage?.({ data: snapshot(900) });
  clock.pass(200);
  socket().onclose?.({ code: 1006, reason: "" });
  clock.pass(1000);
  assert.equal(Socket.all.length, 2);
  socket().onopen?.();
  socket().onmessage?.({ data: snapshot(3) }); // of a node that has begun anew
  assert.deepEqual(log, ["open", "tick 900", "lost", "open", "tick 3"]);
  clock.pass(100);
  assert.deepEqual(socket().intents[0], [1, 3, 0]);
});

test("silence is taken for a loss", () => {
  const { clock, log, socket } = open();
  const s = socket();
  s.onmessage?.({ data: snapshot(3) });
  clock.pass(9_900);
  assert.deepEqual(log, ["open", "tick 3"]);
  clock.pass(200);
  assert.deepEqual(log.slice(2), ["lost"]);
  assert(s.isClosed);
});

test("stays away as long as it is told", () => {
  const { clock, socket } = open();
  socket().onclose?.({ code: 4429, reason: "retry in 20000 ms" });
  clock.pass(19_900);
  assert.equal(Socket.all.length, 1);
  clock.pass(200);
  assert.equal(Socket.all.length, 2);
});

test("a proxy that closes a connection ends the road, and not the session", () => {
  for (const code of [1000, 1001, 1006, 1008, 1011, 1012, 1013]) {
    const { clock, log, socket } = open();
    socket().onmessage?.({ data: snapshot(3) });
    socket().onclose?.({ code, reason: "going away" });
    clock.pass(1_000);
    socket().onmessage?.({ data: snapshot(6) });
    assert.deepEqual(log, ["open", "tick 3", "lost", "open", "tick 6"], `code ${code}`);
  }
});

test("a sleep is noticed on waking, by whatever clock has gone on", () => {
  for (const monotonic of [true, false]) {
    const { clock, channel, log, socket } = open();
    socket().onmessage?.({ data: snapshot(3) });
    clock.pass(100);
    clock.sleep(23_000, monotonic);
    channel.wake();
    clock.pass(2_100);
    assert.equal(log.at(-1), "lost", "within a second");
    assert.equal(Socket.all.length, 2, "and made again");
    const { clock: other, channel: alive, log: seen, socket: same } = open();
    same().onmessage?.({ data: snapshot(3) });
    other.sleep(23_000, monotonic);
    alive.wake();
    for (let tick = 6; tick < 100; tick += 3) {
      same().onmessage?.({ data: snapshot(tick) });
      other.pass(100);
    }
    assert(!seen.includes("lost"), "one that lives is kept");
  }
});

test("goes on for as long as the longest session lives, and no longer", () => {
  const { clock, log, socket } = open();
  for (let t = 0; t < 4000_000 && log.at(-1) !== "lost for good"; t += 100) {
    if (!socket().isClosed) socket().onclose?.({ code: 1006, reason: "" });
    clock.pass(100);
    if (clock.running === 0) log.push("lost for good");
  }
  assert.equal(log.at(-1), "lost for good");
  assert(clock.now > 3600_000 && clock.now < 3700_000, `after ${clock.now} ms`);
});

test("ends for good when the node says so, or speaks another version", () => {
  for (const [code, why] of [[4410, "session-ended"], [4409, "replaced"], [4411, "stopping"], [4400, "incompatible"]] as const) {
    const { clock, log, socket } = open();
    socket().onclose?.({ code, reason: "" });
    clock.pass(60_000);
    assert.deepEqual(log, [why]);
    assert.equal(Socket.all.length, 1);
  }
  const { log, socket } = open();
  socket().onmessage?.({ data: snapshot(3, 2) });
  assert.deepEqual(log, ["incompatible"]);
});

test("says that the node refuses the page, if a WebSocket did not open for that", async () => {
  let asked = 0;
  const { clock, log, socket } = open(() => Promise.resolve(++asked > 1));
  socket().onclose?.({ code: 1006, reason: "" }); // for another reason
  await Promise.resolve();
  assert.deepEqual(log, ["lost"]);
  clock.pass(5_000);
  socket().onclose?.({ code: 1006, reason: "" });
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(log, ["lost", "lost", "refused"]);
  assert.equal(clock.running, 0);
});

test("does not ask once a WebSocket has opened: then it is the network", async () => {
  let asked = 0;
  const { clock, socket } = open(() => Promise.resolve(++asked > 0));
  socket().onopen?.();
  for (let i = 0; i < 3; i++) {
    socket().onclose?.({ code: 1006, reason: "" });
    await Promise.resolve();
    clock.pass(5_000);
  }
  assert.equal(asked, 0);
});
