// The rules of the line, held to those of the server.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseDocument, placeOf, pollAfter } from "../src/line.ts";

interface Case {
  name: string;
  document: Record<string, unknown>;
  turn_ms: number;
  chance: number;
  waits: boolean;
  place: number;
  wait_ms: number;
  low_ms: number;
  high_ms: number;
  poll_after_ms: number;
}

test("places and pauses are those that package internal/line computes", () => {
  const cases = JSON.parse(readFileSync(`${process.env["LINE_TESTDATA"]}/client.json`, "utf8")) as Case[];
  assert(cases.length > 20);
  for (const c of cases) {
    const d = parseDocument(c.document);
    assert(d, c.name);
    const at = placeOf(d, c.turn_ms);
    assert.equal(at !== null, c.waits, c.name);
    if (!at) continue;
    assert.equal(at.place, c.place, c.name);
    const near = (got: number, want: number): void =>
      assert(Math.abs(got - want) <= 1 + want / 1e12, `${c.name}: ${got}, want ${want}`);
    near(at.wait, c.wait_ms);
    near(at.low, c.low_ms);
    near(at.high, c.high_ms);
    near(pollAfter(d, at.wait, c.chance), c.poll_after_ms);
  }
});

test("what is not the document of a line is not taken for one", () => {
  const marks = [{ turn_ms: 1, before: 0 }];
  const good = { now_ms: 5, serving_ms: 1, pace_per_s: 2, waiting: 0, poll_factor: 0.5, marks };
  assert(parseDocument(good));
  assert(parseDocument({ ...good, udp: ["a:1"], something: {} }));
  const bad: Record<string, unknown>[] = [
    {}, { ...good, now_ms: "5" }, { ...good, serving_ms: -1 }, { ...good, pace_per_s: NaN },
    { ...good, pace_per_s: null }, { ...good, poll_factor: undefined }, { ...good, opens_ms: "soon" },
    { ...good, marks: {} }, { ...good, marks: [null] },
    { ...good, marks: [{ turn_ms: 1 }] }, { ...good, marks: [{ turn_ms: 2, before: 0 }, { turn_ms: 2, before: 1 }] },
    { ...good, marks: Array.from({ length: 999 }, (_, i) => ({ turn_ms: i, before: i })) },
  ];
  for (const b of bad) assert.equal(parseDocument(b), null, JSON.stringify(b));
});
