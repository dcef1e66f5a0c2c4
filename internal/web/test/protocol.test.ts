// The decoder and the encoder against the messages of protocol/testdata.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import {
  decodeReliable, decodeUnreliable, Decoder, encodeIntent, encodeReliable, encodeUnreliable, fits, following, kindOf,
  Malformed, newer, UnknownVersion, type Entity,
} from "../src/protocol.ts";

const folder = process.env["TESTDATA"] ?? "";
const names = readdirSync(folder).map((n) => n.replace(/\.hex$/, ""));

interface Message {
  bytes: ArrayBuffer;
  results: string[];
}

function read(name: string): Message {
  const lines = readFileSync(`${folder}/${name}.hex`, "utf8").split("\n");
  const hex = lines.flatMap((l) => (l.split("#")[0] ?? "").split(/\s+/)).filter((h) => h);
  const results = lines.filter((l) => l.startsWith("# result ")).map((l) => l.replace(/^# result \d+: /, ""));
  return { bytes: Uint8Array.from(hex, (h) => parseInt(h, 16)).buffer, results };
}

const text = (e: Readonly<Entity>): string =>
  `id ${e.id} kind ${e.kind} flags ${e.flags} level ${e.level} x ${e.x}/64 y ${e.y}/64 hp ${e.hp} of ${e.maxHP} "${e.name}"`;

function decode(d: Decoder, name: string): string[] {
  const m = read(name);
  const s = d.decode(m.bytes);
  assert(s, name);
  if (m.results.some((r) => r.startsWith("id "))) assert.deepEqual(s.entities.map(text), m.results, name);
  return m.results;
}

const sequences = [
  ["snapshot-full", "snapshot-delta", "snapshot-still", "snapshot-alone"],
  ["snapshot-extremes", "snapshot-wrap"],
  ["snapshot-crowd-1", "snapshot-crowd-2", "snapshot-crowd-3"],
  ["snapshot-overlong"],
];

test("every snapshot is read as it was meant", () => {
  let results = 0;
  for (const sequence of sequences) {
    const d = new Decoder();
    for (const name of sequence) results += decode(d, name).length;
  }
  assert(results > 10, "the files hold results");
  const known = new Set(sequences.flat());
  assert.deepEqual(names.filter((n) => n.startsWith("snapshot-") && !known.has(n)), []);
});

test("the own state", () => {
  const own = (name: string): unknown => new Decoder().decode(read(name).bytes)?.own;
  assert.deepEqual(own("snapshot-full"), {
    zone: 1, x: 6400, y: 3200, hp: 40, maxHP: 48, level: 2, xp: 250n, deaths: 1, flags: 0,
  });
  assert.deepEqual(own("snapshot-extremes"), {
    zone: 65535, x: 2 ** 30, y: -(2 ** 30), hp: -(2 ** 31), maxHP: 2 ** 31 - 1, level: 65535, xp: 2n ** 63n - 1n,
    deaths: 2 ** 32 - 1, flags: 255,
  });
});

test("what is wrong is refused and changes nothing", () => {
  const refused = names.filter((n) => n.startsWith("refused-snapshot-"));
  assert(refused.length >= 20);
  for (const name of refused) {
    const d = new Decoder();
    decode(d, "snapshot-full");
    const message = read(name).bytes;
    if (name.endsWith("no-baseline")) assert.equal(d.decode(message), null, name);
    else assert.throws(() => d.decode(message), name.endsWith("version") ? UnknownVersion : Malformed, name);
    decode(d, "snapshot-delta");
  }
});

test("a name is shown as it is, whatever it begins with", () => {
  const bytes = new Uint8Array(read("snapshot-full").bytes);
  const rat = bytes.findIndex((_, i) => bytes[i] === 0x72 && bytes[i + 1] === 0x61 && bytes[i + 2] === 0x74);
  bytes.set([0xef, 0xbb, 0xbf], rat);
  assert.equal(new Decoder().decode(bytes.buffer)?.entities[1]?.name, "\ufeff");
});

test("baselines that are too old are forgotten", () => {
  const d = new Decoder();
  decode(d, "snapshot-full"); // tick 1200
  const later = new Uint8Array(read("snapshot-full").bytes.slice(0));
  new DataView(later.buffer).setUint32(2, 1265, true);
  assert(d.decode(later.buffer));
  assert.equal(d.decode(read("snapshot-delta").bytes), null);
});

test("intents", () => {
  const none = { ack: 0, moveX: 0, moveY: 0, action: 0, target: 0n };
  const hex = (b: Uint8Array): string => [...b].join();
  const want = (name: string): string => hex(new Uint8Array(read(name).bytes));
  assert.equal(hex(encodeIntent({ ...none, seq: 1 })), want("intent-idle"));
  const attack = { seq: 258, ack: 1200, moveX: 1, moveY: -0.5, action: 1, target: 2n ** 63n + 41n };
  assert.equal(hex(encodeIntent(attack)), want("intent-attack"));
  const far = encodeIntent({ ...none, seq: 1, moveX: -7, moveY: NaN });
  assert.equal(new DataView(far.buffer).getInt16(10, true), -32767);
  assert.equal(new DataView(far.buffer).getInt16(12, true), 0);
});

test("sequence numbers begin again", () => {
  assert(newer(1, 2 ** 32 - 1) && !newer(2 ** 32 - 1, 1) && !newer(5, 5) && newer(6, 5));
  assert.equal(following(2 ** 32 - 1), 1);
  assert.equal(following(7), 8);
});

const said = (messages: readonly Uint8Array[]): string[] => messages.map((m) => new TextDecoder().decode(m));

test("messages of the game are read and written as they were meant", () => {
  const talks = names.filter((n) => /^(un)?reliable-/.test(n));
  assert(talks.length >= 9);
  for (const name of talks) {
    const message = read(name).bytes;
    const unreliable = name.startsWith("unreliable-");
    assert.equal(kindOf(message), unreliable ? 3 : 4, name);
    const again = unreliable ? encodeUnreliable(decodeUnreliable(message)) : encodeReliable(decodeReliable(message));
    if (name !== "reliable-overlong") assert.deepEqual(again, new Uint8Array(message), name);
  }
  const first = decodeReliable(read("reliable-first").bytes);
  assert.deepEqual(said(first.messages), ["hello", "trade 7 for 3"]);
  assert.deepEqual({ ...first, messages: 2 }, { from: 798636865, to: 0, ack: 0, first: 1, lost: false, messages: 2 });
  const lost = decodeReliable(read("reliable-lost").bytes);
  assert.deepEqual([lost.lost, lost.first, lost.ack], [true, 300, 2]);
  const extremes = decodeReliable(read("reliable-extremes").bytes);
  assert.deepEqual([extremes.from, extremes.to], [2 ** 32 - 1, 2 ** 32 - 1]);
  assert.deepEqual([extremes.ack, extremes.first], [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]);
  assert.deepEqual(said(decodeUnreliable(read("unreliable-two").bytes)), ["boo", "Žofie waves"]);
  assert.equal(decodeReliable(read("reliable-longest").bytes).messages[0]?.length, 1024);
});

test("messages of the game that are wrong are refused", () => {
  const refused = names.filter((n) => /^refused-(un)?reliable-/.test(n));
  assert(refused.length >= 18);
  for (const name of refused) {
    const decode = name.startsWith("refused-reliable-") ? decodeReliable : decodeUnreliable;
    assert.throws(() => decode(read(name).bytes), name.endsWith("version") ? UnknownVersion : Malformed, name);
  }
});

test("as many messages of the game as fit go into one", () => {
  const long = new Uint8Array(1024), short = new Uint8Array(10);
  assert.equal(fits([long, short, short], 0), 3);
  assert.equal(fits([long, long], 0), 1);
  assert.equal(fits([long, long], 2), 0);
  const many = Array<Uint8Array>(200).fill(short);
  const head = { from: 1, to: 1, ack: Number.MAX_SAFE_INTEGER, first: 1, lost: false };
  assert(encodeReliable({ ...head, messages: many.slice(0, fits(many, 0)) }).length <= 1200);
});
