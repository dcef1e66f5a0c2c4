// What the page keeps over a reload, and what it makes of what it finds there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { forgetPlace, keepPlace, keptPlace } from "../src/stored.ts";
import { newPlace, type Place } from "../src/turn.ts";

const items = new Map<string, string>();
Object.assign(globalThis, {
  sessionStorage: {
    getItem: (k: string) => items.get(k) ?? null,
    setItem: (k: string, v: string) => void items.set(k, v),
    removeItem: (k: string) => void items.delete(k),
  },
});

test("a place outlives the page, and nothing that only looks like one does", () => {
  const place: Place = {
    ...newPlace(), ticket: "ticket-1", turn: 17, kind: "register", name: "anna", first: 9, place: 4, done: 0.5,
    soon: 0.6, next: 5000, heard: Date.now() - 3600_000,
  };
  keepPlace(place);
  assert.deepEqual(keptPlace(), place);
  const bad: Record<string, unknown>[] = [
    { secret: "short" }, { secret: 5 }, { secret: "x".repeat(65) }, { ticket: "no ticket!" }, { ticket: "x".repeat(129) },
    { ticket: null }, { turn: 0 }, { turn: "17" }, { turn: null }, { kind: "logout" }, { name: 5 }, { first: null },
    { done: "0" }, { heard: Date.now() - 13 * 3600_000 }, { heard: Date.now() + 13 * 3600_000 },
  ];
  for (const b of bad) {
    keepPlace({ ...place, ...b } as Place);
    assert.equal(keptPlace(), null, JSON.stringify(b));
  }
  for (const text of ["", "{", "null", "5", "[]", "{}"]) {
    items.set("rushgate.place", text);
    assert.equal(keptPlace(), null, text);
  }
  keepPlace(place);
  forgetPlace();
  assert.equal(keptPlace(), null);
});

test("each wait has a secret of its own", () => {
  const secrets = new Set(Array.from({ length: 100 }, () => newPlace().secret));
  assert.equal(secrets.size, 100);
  for (const s of secrets) assert(/^[\w-]{16,64}$/.test(s));
});
