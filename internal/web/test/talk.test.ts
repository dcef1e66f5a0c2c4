// Two ends of a talk, and what comes between them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeReliable } from "../src/protocol.ts";
import { Talk } from "../src/talk.ts";

class Side {
  readonly heard: string[] = [];
  readonly sent: ArrayBuffer[] = [];
  readonly talk = new Talk({
    onMessage: (data) => void this.heard.push(new TextDecoder().decode(data)),
    onLost: () => void this.heard.push("lost"),
  });

  constructor() {
    this.connect();
  }

  connect(): void {
    this.sent.length = 0;
    this.talk.over({ isOpen: true, sendMessages: (m) => this.sent.push(m.buffer) > 0 });
  }

  say(words: string): boolean {
    return this.talk.say(new TextEncoder().encode(words));
  }
}

let now = 0;
Object.defineProperty(performance, "now", { value: () => now, configurable: true });

/** Has two sides send what they have, of which each message is lost with some chance. */
function exchange(a: Side, b: Side, loss = 0, random = Math.random): void {
  for (const [from, to] of [[a, b], [b, a]] as const) {
    from.talk.flush();
    for (let m = from.sent.shift(); m; m = from.sent.shift()) if (random() >= loss) to.talk.hear(m);
  }
}

function settle(a: Side, b: Side): void {
  for (let t = 0; t < 10; t++) {
    exchange(a, b);
    now += 6_000;
  }
}

const words = (n: number, from = 0): string[] => Array.from({ length: n }, (_, i) => `word ${i + from}`);

/** Chances that are the same each time. */
function chances(seed: number): () => number {
  return () => (seed = (seed * 16807) % 2147483647) / 2147483647;
}

test("each message arrives once and in order, over connections that end with what is on its way", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = chances(seed * 7919), a = new Side(), b = new Side();
    let said = 0;
    for (let step = 0; step < 60; step++) {
      for (const w of words(Math.floor(random() * 10), said)) {
        assert(a.say(w) && b.say(w), "there is room");
        said++;
      }
      exchange(a, b, random() < 0.5 ? 0 : random(), random);
      if (random() < 0.5) {
        a.connect();
        b.connect();
      }
      if (random() < 0.2) settle(a, b);
    }
    a.connect();
    b.connect();
    settle(a, b);
    assert.deepEqual(a.heard, words(said), `seed ${seed}`);
    assert.deepEqual(b.heard, words(said), `seed ${seed}`);
  }
});

test("an end that has forgotten hears what was not acknowledged, and the other is told", () => {
  const a = new Side(), b = new Side();
  words(5).forEach((w) => a.say(w));
  settle(a, b);
  words(5, 5).forEach((w) => a.say(w));
  const another = new Side();
  another.say("anew");
  a.connect();
  settle(a, another);
  assert.deepEqual(another.heard, words(5, 5));
  assert.deepEqual(a.heard, ["lost", "anew"]);
});

test("what was given up is told once, and what comes late of it is ignored", () => {
  const a = new Side(), from = 7;
  const data = [new TextEncoder().encode("news")];
  const bring = (first: number, lost: boolean, messages = data): void =>
    a.talk.hear(encodeReliable({ from, to: 0, ack: 0, first, lost, messages }).buffer);
  bring(1, false);
  bring(40, false); // what comes before is missing
  bring(40, true);
  bring(40, true);
  bring(2, false);
  bring(41, false);
  bring(50, true, []);
  assert.deepEqual(a.heard, ["news", "lost", "news", "news", "lost"]);
});

test("what waits and what is on its way is bounded", () => {
  now = 0;
  const a = new Side();
  let n = 0;
  while (a.say("x")) n++;
  assert.equal(n, 256);
  assert.equal(a.sent.length, 64, "each goes out at once");
  a.connect();
  a.talk.flush();
  assert.deepEqual(a.sent.map((m) => m.byteLength), [13 + 2 * 64]);
  now = 4_999;
  a.talk.flush();
  assert.equal(a.sent.length, 1);
  now = 5_000;
  a.talk.flush();
  assert.deepEqual(a.sent[1], a.sent[0]);
  const long = new Side();
  for (n = 0; long.say("x".repeat(1024)); n++);
  assert.equal(n, 64);
  assert.equal(long.sent.length, 32);
  assert.equal(a.talk.say(Uint8Array.of(1), false), true);
  a.talk.stop();
  assert.equal(a.talk.say(Uint8Array.of(1), false), false);
  for (const wrong of [new Uint8Array(0), new Uint8Array(1025)]) assert.throws(() => a.talk.say(wrong), RangeError);
});
