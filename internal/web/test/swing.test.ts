// An attack that hits nothing is told of once, and only where there is something to hit.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entity, Snapshot } from "../src/protocol.ts";
import { Swing } from "../src/swing.ts";

const rat = (id: bigint, x: number, hp: number): Entity =>
  ({ id, kind: 2, flags: 0, level: 0, x: x * 64, y: 0, hp, maxHP: 12, name: "rat" });

function snapshot(entities: Entity[], own: Partial<Snapshot["own"]> = {}): Snapshot {
  return {
    tick: 1, intent: 0, entities,
    own: { zone: 0, x: 0, y: 0, hp: 40, maxHP: 40, xp: 0n, level: 1, deaths: 0, flags: 0, ...own },
  } as Snapshot;
}

test("an attack on nothing is told of once, after a second", () => {
  const s = new Swing();
  const far = snapshot([rat(1n, 30, 12)]);
  s.missed(far, 0);
  s.hold(true, 10);
  s.hold(true, 20); // another key
  assert.equal(s.missed(far, 900), false);
  s.hold(false, 950); // a tap is enough
  assert.equal(s.missed(far, 1010), true);
  assert.equal(s.missed(far, 3000), false);
  s.hold(true, 4000);
  assert.equal(s.missed(far, 5000), true);
});

test("an attack of which something has come is not told of", () => {
  const cases: [string, Snapshot, Snapshot, boolean][] = [
    ["a blow", snapshot([rat(1n, 2, 12)]), snapshot([rat(1n, 2, 8)]), false],
    ["a kill", snapshot([rat(1n, 2, 4)]), snapshot([]), false],
    ["a reward", snapshot([rat(1n, 30, 4)]), snapshot([rat(1n, 30, 4)], { xp: 8n }), false],
    ["the player's death", snapshot([rat(1n, 30, 4)]), snapshot([rat(1n, 30, 4)], { hp: 0 }), false],
    ["somebody else's blow", snapshot([rat(1n, 30, 12)]), snapshot([rat(1n, 30, 8)]), true],
    ["somebody else's kill", snapshot([rat(1n, 30, 12)]), snapshot([]), true],
    ["another player who logs out", snapshot([rat(1n, 30, 12), { ...rat(2n, 2, 40), kind: 1 }]), snapshot([rat(1n, 30, 12)]), true],
    ["a game without monsters", snapshot([]), snapshot([]), false],
  ];
  for (const [what, before, after, missed] of cases) {
    const s = new Swing();
    s.missed(before, 0);
    s.hold(true, 10);
    s.missed(before, 100);
    s.missed(after, 200);
    assert.equal(s.missed(after, 1500), missed, what);
  }
});
