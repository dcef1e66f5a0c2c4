// The channel against WebSockets and a clock of the test's own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Channel, type Node, type Trouble } from "../src/channel.ts";
import { afterClose, type Ending } from "../src/closing.ts";
import { decodeReliable, decodeUnreliable, encodeReliable, encodeUnreliable } from "../src/protocol.ts";
import { Talk } from "../src/talk.ts";
import { Clock, snapshot, Socket } from "./fakes.ts";

function open(node: Partial<Node> = {}) {
  const clock = new Clock();
  clock.install();
  Socket.all = [];
  Object.assign(globalThis, { WebSocket: Socket });
  Math.random = () => 0.5;
  const log: string[] = [];
  const troubles: Trouble[] = [];
  const talk = new Talk({
    onMessage: (data, reliable) => log.push(`${reliable ? "says" : "calls"} ${new TextDecoder().decode(data)}`),
    onLost: () => log.push("messages lost"),
  });
  const channel = new Channel("wss://a.example/v1/channel", "secret", {
    onOpen: () => log.push("open"),
    onLost: (t) => void (log.push("lost"), troubles.push(t)),
    onEnd: (why: Ending) => log.push(why),
    onSnapshot: (s) => log.push(`tick ${s.tick}`),
    onSent: () => undefined,
  }, {
    refuses: () => Promise.resolve(false), move: () => Promise.reject(new Error("not to be moved")), ...node,
  }, talk);
  const socket = (): Socket => Socket.all.at(-1) as Socket;
  return { clock, channel, log, troubles, socket, talk };
}

/** A channel over which snapshots have come for a while. */
function playing() {
  const c = open();
  const first = c.socket().opens();
  let tick = 0;
  /** Snapshots come over a WebSocket for so long. */
  const play = (s: Socket, ms: number): void => {
    for (let t = 0; t < ms; t += 50) {
      s.brings((tick += 3));
      c.clock.pass(50);
    }
  };
  play(first, 6_000);
  assert.deepEqual(c.log.splice(0).filter((l) => !l.startsWith("tick")), ["open"]);
  return { ...c, first, play, news: () => c.log.splice(0).filter((l) => !l.startsWith("tick")) };
}

/** A channel whose first WebSocket has been silent until a second one was opened. */
function probing() {
  const c = playing();
  for (let t = 0; t < 2_000 && Socket.all.length < 2; t += 20) c.clock.pass(20);
  assert.equal(Socket.all.length, 2);
  return { ...c, second: c.socket() };
}

test("greets, acknowledges and repeats", () => {
  const { clock, channel, log, socket } = open();
  const s = socket();
  assert.equal(s.protocol, "rushgate.v1");
  s.opens();
  assert.deepEqual(s.sent, ['{"session_token":"secret"}']);
  channel.want({ moveX: 1, moveY: 0, action: 0 });
  clock.pass(500);
  assert.equal(s.sent.length, 1, "no intents before the first snapshot");
  for (let tick = 3; tick <= 60; tick += 3) {
    s.brings(tick);
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
  const s = socket().opens();
  for (const data of [snapshot(9), snapshot(6), snapshot(9), Uint8Array.of(1, 2, 3).buffer, "text", snapshot(12)]) {
    s.onmessage?.({ data });
  }
  assert.deepEqual(log, ["open", "tick 9", "tick 12"]);
});

test("a lost connection is made again, from nothing", () => {
  const { clock, log, socket } = open();
  socket().opens().brings(900);
  clock.pass(200);
  socket().closes(1006);
  clock.pass(500);
  assert.equal(Socket.all.length, 2);
  socket().opens().brings(3); // of a node that has begun anew
  assert.deepEqual(log, ["open", "tick 900", "lost", "open", "tick 3"]);
  clock.pass(100);
  assert.deepEqual(socket().intents[0], [1, 3, 0]);
});

test("a second WebSocket beside a silent one takes over with its first snapshot", () => {
  const { clock, log, first, second, play, news } = probing();
  assert(clock.now > 7_000 && clock.now < 7_800, `opened after ${clock.now - 6_000} ms of silence`);
  assert(!first.isClosed);
  assert.deepEqual(news(), [], "the player is told nothing");
  const sent = first.intents.length;
  second.opens();
  clock.pass(200);
  assert(second.greeted && first.intents.length > sent, "intents still go over the first");
  play(second, 1_000);
  assert(first.isClosed);
  assert.deepEqual(news(), ["open"]);
  assert(second.intents.length > 5);
  clock.pass(100);
  assert.equal(Socket.all.length, 2);
  assert.equal(log.length, 0);
});

test("a WebSocket that comes to life is kept, and the node hears nothing of the second one", () => {
  for (const whenOpen of [true, false]) {
    const { clock, first, second, play, news } = probing();
    if (whenOpen) second.opens();
    clock.pass(50); // as a node that stood still answers both
    play(first, 2_000);
    assert(second.isClosed && !second.greeted && !first.isClosed);
    assert.deepEqual(news(), []);
    assert.equal(Socket.all.length, 2);
  }
});

test("what the second WebSocket does to the first is not taken for the player's leaving", () => {
  { // the node says so before the second one lives
    const { clock, first, second, play, news } = probing();
    second.opens();
    clock.pass(200);
    first.closes(4409, "replaced by a newer connection");
    assert.deepEqual(news(), []);
    play(second, 500);
    assert.deepEqual(news(), ["open"]);
    assert.equal(Socket.all.length, 2);
    second.closes(4409, "replaced by a newer connection"); // and this is none of its own doing
    assert.deepEqual(news(), ["replaced"]);
  }
  { // the first one lives again after the greeting, and the second one is lost
    const { clock, first, second, play, news, socket } = probing();
    second.opens();
    clock.pass(200);
    play(first, 200);
    assert(!second.isClosed, "it may be the only one soon");
    second.closes(1006);
    first.closes(4409, "replaced by a newer connection");
    assert.deepEqual(news(), ["lost"]);
    clock.pass(500);
    play(socket().opens(), 20_000);
    assert.deepEqual(news(), ["open"]);
    socket().closes(4409, "replaced by a newer connection"); // long after
    assert.deepEqual(news(), ["replaced"]);
  }
});

test("a second WebSocket that has been given up is no excuse for long", () => {
  const { clock, first, second, play, news } = probing();
  second.opens();
  clock.pass(200);
  play(first, 20_000);
  assert(second.isClosed);
  assert.equal(Socket.all.length, 2);
  first.closes(4409, "replaced by a newer connection");
  assert.deepEqual(news(), ["replaced"]);
});

test("a second WebSocket that is open takes over at once when the first one is lost", () => {
  const { first, second, play, news } = probing();
  second.opens();
  assert(!second.greeted);
  first.closes(1006);
  assert(second.greeted);
  play(second, 500);
  assert.deepEqual(news(), ["lost", "open"]);
  assert.equal(Socket.all.length, 2);
});

test("the node's word over the second WebSocket counts, unless the first one lives", () => {
  for (const lives of [false, true]) {
    const { clock, first, second, play, news } = probing();
    second.opens();
    clock.pass(200);
    if (lives) play(first, 100);
    second.closes(4401, "no such session");
    assert.deepEqual(news(), lives ? [] : ["no-session"]);
  }
});

test("silence is told to the player, and its end", () => {
  const { clock, first, second, play, news } = probing();
  clock.pass(1_000);
  assert.deepEqual(news(), []);
  clock.pass(1_000);
  assert.deepEqual(news(), ["lost"]);
  second.closes(1006);
  play(first, 100);
  assert.deepEqual(news(), ["open"]);
});

test("a WebSocket that stays silent is given up", () => {
  const { clock, first, news } = playing();
  clock.pass(9_900);
  assert(!first.isClosed);
  clock.pass(300);
  assert(first.isClosed);
  assert(news().includes("lost"));
});

test("a node that stands still gets few requests", () => {
  for (const random of [0, 0.2, 0.4, 0.6, 0.8, 0.99]) {
    const { clock, play, news } = playing();
    Math.random = () => random;
    clock.pass(35_000);
    assert(Socket.all.length <= 9, `${Socket.all.length} WebSockets in 35 s`);
    const pending = Socket.all.filter((s) => !s.isClosed);
    assert(pending.length <= 2, `${pending.length} at once`);
    for (const s of pending) play(s.opens(), 100);
    assert.equal(news().at(-1), "open");
  }
});

test("second WebSockets are spread over time", () => {
  const at: number[] = [];
  for (const random of [0, 0.25, 0.5, 0.75, 1]) {
    const c = open();
    Math.random = () => random;
    const channel = new Channel("wss://a.example/v1/channel", "secret", {
      onOpen: () => undefined, onLost: () => undefined, onEnd: () => undefined, onSnapshot: () => undefined,
      onSent: () => undefined,
    }, { refuses: () => Promise.resolve(false), move: () => Promise.resolve(0) });
    const n = Socket.all.length;
    c.socket().opens().brings(3);
    while (Socket.all.length === n) c.clock.pass(10);
    at.push(c.clock.now);
    channel.stop();
  }
  assert(at.every((t, i) => t > 1_000 + i * 150 && t < 1_100 + i * 190), at.join());
});

test("hiccups that pass do not each cost a WebSocket", () => {
  const { clock, first, play, news } = playing();
  for (let i = 0; i < 10; i++) {
    clock.pass(1_500);
    play(first, 100);
  }
  assert(Socket.all.length <= 5, `${Socket.all.length} WebSockets in 16 s`);
  assert.deepEqual(news(), []);
  play(first, 60_000);
  const before = Socket.all.length;
  clock.pass(5_600);
  assert(Socket.all[before]?.isClosed, "long after, the next one is a first one");
});

test("a node that sends a snapshot a second is not silent", () => {
  const { clock, socket, log } = open();
  const s = socket().opens();
  for (let tick = 60; tick <= 3600; tick += 60) {
    s.brings(tick);
    clock.pass(tick % 240 ? 1_000 : 1_600);
    if (tick > 600) assert.equal(Socket.all.filter((o) => !o.isClosed).length, 1, `at tick ${tick}`);
  }
  assert(!log.includes("lost"));
});

test("time in which the page did not run counts against no connection", () => {
  { // a tab that is not seen: timers run once in a second
    const { clock, first, play } = playing();
    for (let i = 0; i < 3; i++) {
      clock.stall(1_000);
      clock.pass(20);
    }
    assert.equal(Socket.all.length, 1);
    for (let i = 0; i < 5; i++) {
      clock.stall(1_000);
      clock.pass(20);
    }
    assert.equal(Socket.all.length, 2, "but it is noticed in the end");
    play(first, 100);
  }
  { // a page that was busy for less than a sleep
    const { clock, first, play } = playing();
    clock.stall(2_500);
    clock.pass(20);
    play(first, 1_000);
    assert.equal(Socket.all.length, 1);
  }
});

test("stays away as long as it is told, whatever the code, even when hurried", () => {
  for (const code of [1000, 1001, 1006, 1011, 1012, 1013, 4408, 4411, 4429, 4999]) {
    const { clock, channel, socket } = open();
    socket().opens().closes(code, "busy, retry in 20000 ms");
    clock.pass(10_000);
    channel.hurry();
    clock.pass(9_900);
    assert.equal(Socket.all.length, 1, `code ${code}`);
    clock.pass(700);
    assert.equal(Socket.all.length, 2, `code ${code}`);
  }
  const { clock, second, play, first } = probing();
  second.opens();
  clock.pass(150);
  second.closes(4429, "retry in 8000 ms");
  clock.pass(7_800);
  assert.equal(Socket.all.length, 2, "nor beside another");
  play(first, 100);
});

test("a proxy that closes a connection ends the road, and not the session", () => {
  for (const code of [1000, 1001, 1006, 1008, 1011, 1012, 1013]) {
    const { clock, log, socket } = open();
    socket().opens().brings(3);
    socket().closes(code, "going away");
    clock.pass(500);
    socket().opens().brings(6);
    assert.deepEqual(log, ["open", "tick 3", "lost", "open", "tick 6"], `code ${code}`);
  }
});

test("a node that goes down is waited for, and the player knows", () => {
  const { clock, first, play, news, troubles, socket } = playing();
  first.closes(4411, "the node is going down; retry in 2000 ms");
  assert.deepEqual(news(), ["lost"]);
  assert.deepEqual(troubles, [{ restart: true, next: 2000 }]);
  clock.pass(1_900);
  assert.equal(Socket.all.length, 1);
  clock.pass(400);
  socket().closes(1006);
  assert.deepEqual(troubles.at(-1), { restart: true, next: 0 });
  for (let n = 3; n < 5; n++) {
    while (Socket.all.length < n) clock.pass(100);
    if (n < 4) socket().closes(1006);
  }
  play(socket().opens(), 100);
  assert.equal(news().at(-1), "open");
  socket().closes(1006);
  assert.equal(troubles.at(-1)?.restart, false);
});

test("a session that another node has is moved, and then gone on with", async () => {
  const answers: (number | Ending)[] = [700, 0];
  const { clock, log, socket } = open({ move: () => Promise.resolve(answers.shift() ?? "elsewhere") });
  const next = async (ms: number): Promise<void> => {
    const n = Socket.all.length;
    socket().opens().closes(4421, "other.example:4000");
    clock.pass(10_000);
    assert.equal(Socket.all.length, n, "nothing before the node has answered");
    await Promise.resolve();
    await Promise.resolve();
    clock.pass(ms);
    assert.equal(Socket.all.length, n);
    clock.pass(4_000);
    assert.equal(Socket.all.length, n + 1);
  };
  await next(650);
  await next(0);
  socket().opens().closes(4421, "other.example:4000");
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(log, ["lost", "lost", "lost", "elsewhere"]);
  assert.equal(clock.running, 0);
});

test("a session that another node has is moved while the first WebSocket is silent", async () => {
  let asked = 0;
  const node = { move: () => Promise.resolve(++asked) };
  const { clock, log, socket } = open(node);
  const first = socket().opens();
  first.brings(3);
  while (Socket.all.length < 2) clock.pass(20);
  socket().opens();
  clock.pass(150);
  socket().closes(4421, "other.example:4000");
  await Promise.resolve();
  await Promise.resolve();
  clock.pass(6_000);
  assert.equal(asked, 1);
  assert(Socket.all.length >= 3 && !first.isClosed);
  socket().opens();
  clock.pass(150);
  socket().brings(3);
  assert(first.isClosed);
  assert.equal(log.at(-2), "open");
});

test("pauses grow while nothing answers, and start small after a good connection", () => {
  const { clock, first, news, socket } = playing();
  Math.random = () => 1;
  const pauses: number[] = [];
  let last = first;
  for (let i = 0; i < 6; i++) {
    const from = clock.now;
    last.closes(1006);
    while (socket() === last) clock.pass(20);
    pauses.push(clock.now - from);
    last = socket();
  }
  assert.deepEqual(pauses.map((p) => Math.round(p / 100)), [5, 10, 20, 40, 40, 40]);
  last.opens().brings(3);
  const from = clock.now;
  last.closes(1006); // lived for no time
  while (socket() === last) clock.pass(20);
  assert(clock.now - from > 3_900, `a pause of ${clock.now - from} ms`);
  news();
});

test("a sleep is noticed on waking, by whatever clock has gone on", () => {
  for (const monotonic of [true, false]) {
    const { clock, channel, socket, first, play, news } = playing();
    clock.sleep(23_000, monotonic);
    channel.wake();
    clock.pass(1_000);
    assert.equal(Socket.all.length, 2, "within a second");
    socket().opens();
    clock.pass(200);
    play(socket(), 100);
    assert.deepEqual(news(), ["open"]);
    assert(first.isClosed);

    const alive = playing();
    alive.clock.sleep(23_000, monotonic);
    alive.channel.wake();
    alive.play(alive.first, 3_000);
    assert.equal(Socket.all.length, 1, "one that lives is kept");
    assert.deepEqual(alive.news(), []);

    const away = playing();
    away.first.closes(1013, "retry in 20000 ms");
    away.clock.sleep(23_000, monotonic);
    away.channel.wake();
    away.clock.pass(20);
    assert.equal(Socket.all.length, 2, "a pause that has passed meanwhile is over");
    away.clock.pass(3_000);
    assert.equal(Socket.all.length, 2, "and what was opened has time to open");
  }
});

test("a WebSocket that does not open makes way for another", () => {
  const { clock } = open();
  clock.pass(3_900);
  assert.equal(Socket.all.length, 1);
  clock.pass(1_000);
  assert.equal(Socket.all.length, 2);
  assert(Socket.all[0]?.isClosed, "browsers open one after the other");
  clock.pass(7_000);
  assert.equal(Socket.all.length, 2, "with more patience");
});

test("goes on for as long as the longest session lives, and no longer", () => {
  const { clock, log, socket } = open();
  for (let t = 0; t < 4000_000 && log.at(-1) !== "lost for good"; t += 100) {
    if (!socket().isClosed) socket().closes(1006);
    clock.pass(100);
    if (clock.running === 0) log.push("lost for good");
  }
  assert.equal(log.at(-1), "lost for good");
  assert(clock.now > 3600_000 && clock.now < 3700_000, `after ${clock.now} ms`);
});

test("ends for good when the node says so, or speaks another version", () => {
  for (const [code, why] of [
    [4401, "no-session"], [4410, "session-ended"], [4409, "replaced"], [4400, "incompatible"],
  ] as const) {
    const { clock, log, socket } = open();
    socket().opens().closes(code);
    clock.pass(60_000);
    assert.deepEqual(log, [why]);
    assert.equal(Socket.all.length, 1);
  }
  const { log, socket } = open();
  socket().opens().onmessage?.({ data: snapshot(3, 2) });
  assert.deepEqual(log, ["incompatible"]);
});

test("says that the node refuses the page, if a WebSocket did not open for that", async () => {
  let asked = 0;
  const { clock, log, socket } = open({ refuses: () => Promise.resolve(++asked > 1) });
  socket().closes(1006); // for another reason
  await Promise.resolve();
  assert.deepEqual(log, ["lost"]);
  clock.pass(500);
  socket().closes(1006);
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(log, ["lost", "lost", "refused"]);
  assert.equal(clock.running, 0);
});

test("does not ask once a WebSocket has opened: then it is the network", async () => {
  let asked = 0;
  const { clock, socket } = open({ refuses: () => Promise.resolve(++asked > 0) });
  socket().opens();
  for (let i = 0; i < 3; i++) {
    socket().closes(1006);
    await Promise.resolve();
    clock.pass(2_000);
  }
  assert.equal(asked, 0);
});

test("what follows on a close code", () => {
  assert.deepEqual(afterClose(4401, ""), { end: "no-session" });
  assert.deepEqual(afterClose(4410, "retry in 10 ms"), { end: "session-ended" });
  assert.deepEqual(afterClose(4409, ""), { end: "replaced" });
  assert.deepEqual(afterClose(4411, ""), { wait: 1000, restart: true });
  assert.deepEqual(afterClose(4411, "retry in 700 ms"), { wait: 700, restart: true });
  assert.deepEqual(afterClose(4400, ""), { end: "incompatible" });
  assert.deepEqual(afterClose(4421, "b.example:1"), { wait: 0, move: true });
  assert.deepEqual(afterClose(4503, "retry in 1234 ms"), { wait: 1234 });
  assert.deepEqual(afterClose(4429, "retry in 1234 ms"), { wait: 1234 });
  assert.deepEqual(afterClose(4429, "?"), { wait: 5000 });
  assert.deepEqual(afterClose(1013, "busy; retry in 999999999 ms"), { wait: 30_000 });
  assert.deepEqual(afterClose(1013, "retry in 9999999999 ms"), { wait: 0 });
  assert.deepEqual(afterClose(1013, "retry in -5 ms"), { wait: 0 });
  for (const code of [1000, 1001, 1005, 1006, 1008, 1009, 1011, 1012, 1013, 1014, 1015, 3000, 4408, 4999]) {
    assert.deepEqual(afterClose(code, ""), { wait: 0 });
  }
});

/** Messages of the game that a socket has sent. */
const spoken = (s: Socket): Uint8Array[] =>
  s.sent.filter((b): b is Uint8Array => typeof b !== "string" && (b[1] ?? 0) > 2);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const node = { from: 9, to: 0, ack: 0, first: 1, lost: false };

test("says and hears messages of the game", () => {
  const { channel, first, news, talk } = playing();
  assert.equal(talk.say(bytes("hello")), true);
  assert.equal(talk.say(bytes("boo"), false), true);
  const [reliable, unreliable] = spoken(first);
  assert.deepEqual(decodeReliable(reliable!.buffer as ArrayBuffer).messages.map((m) => [...m]), [[...bytes("hello")]]);
  assert.deepEqual(decodeUnreliable(unreliable!.buffer as ArrayBuffer).map((m) => [...m]), [[...bytes("boo")]]);
  const { from } = decodeReliable(reliable!.buffer as ArrayBuffer);
  const bring = (b: Uint8Array<ArrayBuffer>): void => first.onmessage?.({ data: b.buffer });
  bring(encodeReliable({ ...node, to: from, ack: 1, messages: [bytes("anna: hello")] }));
  bring(encodeUnreliable([bytes("wind")]));
  bring(Uint8Array.of(1, 4, 9));
  bring(encodeReliable({ ...node, to: from, ack: 1, first: 9, lost: true, messages: [bytes("anew")] }));
  assert.deepEqual(news(), ["says anna: hello", "calls wind", "messages lost", "says anew"]);
  const last = decodeReliable(spoken(first).at(-1)!.buffer as ArrayBuffer);
  assert.deepEqual([last.to, last.ack, last.messages.length], [9, 9, 0]);
  channel.stop();
  assert.equal(talk.say(bytes("hello")), false);
});

test("what was not acknowledged is said over the next WebSocket, and the one before is heard no more", () => {
  const { clock, channel, first, second, news, play, talk } = probing();
  talk.say(bytes("hello"));
  second.opens();
  clock.pass(500);
  second.onmessage?.({ data: encodeReliable({ ...node, messages: [bytes("before the first snapshot")] }).buffer });
  play(second, 200);
  first.onmessage?.({ data: encodeReliable({ ...node, first: 2, messages: [bytes("late")] }).buffer });
  assert.deepEqual(news(), ["says before the first snapshot", "open"]);
  const again = decodeReliable(spoken(second)[0]!.buffer as ArrayBuffer);
  assert.deepEqual(again.messages.map((m) => [...m]), [[...bytes("hello")]]);
  channel.stop();
  assert.equal(clock.running, 0);
});
