import assert from "node:assert/strict";
import { test } from "node:test";
import { towards } from "../src/input.ts";
import { OwnMotion } from "../src/own.ts";
import { type Entity, type Own, type Snapshot } from "../src/protocol.ts";
import { Timeline } from "../src/world.ts";

const near = (got: number, want: number, within: number, what = ""): void =>
  assert(Math.abs(got - want) <= within, `${what} ${got}, want ${want}`);

const own = (fields: Partial<Own> = {}): Own => ({
  zone: 0, x: 0, y: 0, hp: 40, maxHP: 40, level: 1, xp: 0n, deaths: 0, flags: 0, ...fields,
});

const entity = (x: number, fields: Partial<Entity> = {}): Entity => ({
  id: 7n, kind: 1, flags: 0, level: 1, x: x * 64, y: 0, hp: 9, maxHP: 9, name: "anna", ...fields,
});

const snapshot = (tick: number, entities: Entity[], zone = 0): Snapshot => ({
  tick: tick >>> 0, intent: 0, own: own({ zone }), entities,
});

const LATENCY = 30;
const at = (tick: number): number => 1000 + (tick * 1000) / 60 + LATENCY; // when a snapshot comes

/** Feeds snapshots of every third tick, x units at each tick as f says. */
function walk(ticks: number, f: (tick: number) => Entity[], first = 0): Timeline {
  const t = new Timeline();
  for (let i = 0; i <= ticks; i += 3) t.push(snapshot(first + i, f(i)), at(i));
  return t;
}

test("a walk is shown evenly, about two snapshots in the past, also over the wrap of ticks", () => {
  const t = walk(60, (i) => [entity(i / 10)], 2 ** 32 - 30);
  near(t.delay, 100, 5);
  for (let tick = 48; tick <= 60; tick++) near(t.at(at(tick))[0]?.x ?? NaN, (tick - 6) / 10, 0.02, `tick ${tick}`);
});

test("late snapshots do not hold the walk up", () => {
  const t = new Timeline();
  for (let i = 0; i <= 60; i += 3) t.push(snapshot(i, [entity(i / 10)]), at(i) + (i % 2 ? 40 : 0));
  near(t.at(at(60))[0]?.x ?? NaN, 5.4, 0.05);
});

test("a missing snapshot is made up for a quarter of a second, then all stands still", () => {
  const t = walk(60, (i) => [entity(i / 10)]);
  near(t.at(at(60 + 12))[0]?.x ?? NaN, 6.6, 0.05); // 200 ms late: 6 ticks beyond the last
  near(t.at(at(60 + 300))[0]?.x ?? NaN, 7.5, 0.05); // 250 ms beyond it
});

test("whoever comes or goes, jumps or rises does not slide", () => {
  const coming = walk(60, (i) => (i < 54 ? [] : [entity(1)]));
  assert.equal(coming.at(at(54 + 5)).length, 0);
  assert.equal(coming.at(at(54 + 7)).length, 1);
  const going = walk(60, (i) => (i < 54 ? [entity(1)] : []));
  assert.equal(going.at(at(54 + 5)).length, 1);
  assert.equal(going.at(at(54 + 7)).length, 0);
  const jumping = walk(60, (i) => [entity(i < 54 ? 0 : 100)]);
  for (let tick = 50; tick < 62; tick++) assert([0, 100].includes(jumping.at(at(tick))[0]?.x ?? NaN), `tick ${tick}`);
  const rising = walk(60, (i) => [entity(i < 54 ? 0 : 5, { hp: i < 54 ? 0 : 9 })]);
  for (let tick = 50; tick < 62; tick++) assert([0, 5].includes(rising.at(at(tick))[0]?.x ?? NaN), `tick ${tick}`);
});

test("another zone shows nobody of the one before", () => {
  const t = walk(60, () => [entity(1)]);
  t.push(snapshot(63, [entity(50, { id: 8n })], 1), at(63));
  assert.deepEqual(t.at(at(63)).map((s) => s.entity.id), [8n]);
});

/** Plays a walk to the right from 1 s on, as node and network would have it, and reports what is shown each 5 ms. */
function play(speed: number, frame: (now: number, x: number, motion: OwnMotion) => void): void {
  const m = new OwnMotion();
  const start = 1000;
  const position = (t: number): number => (Math.max(0, t - LATENCY - start) / 1000) * speed; // at the node
  for (let now = 0, seq = 0, applied = 0; now <= 4000; now += 5) {
    if (now === start) m.steer(1, 0, now);
    if (now % 100 === 0) m.onSent(++seq, now);
    if (now % 50 === 0 && now > 2 * LATENCY) {
      applied = Math.floor((now - 2 * LATENCY) / 100) + 1;
      m.push(own({ x: Math.round(position(now - LATENCY) * 64) }), applied, now, now);
    }
    frame(now, m.at(now).x, m);
  }
}

test("the own player walks at once and without a jerk, with the node's speed", () => {
  for (const speed of [8, 5, 12]) {
    let last = 0;
    play(speed, (now, x) => {
      const step = x - last;
      last = x;
      if (now === 1050) assert(x > 0.2, `after 50 ms at ${x}`);
      assert(step >= -0.02 && step < 0.2, `step of ${step} at ${now}, speed ${speed}`);
      if (now >= 3000) near(x, ((now - 1000) / 1000) * speed, 0.5, `speed ${speed} at ${now}`);
    });
  }
});

test("the dead do not walk, and whoever comes back is there at once", () => {
  const m = new OwnMotion();
  m.push(own({ x: 640 }), 0, 0, 0);
  m.steer(1, 0, 0);
  m.push(own({ x: 640, hp: 0 }), 0, 50, 50);
  near(m.at(1000).x, 10, 0.05);
  m.push(own({ x: 6400, hp: 40 }), 0, 1000, 1000);
  near(m.at(1000).x, 100, 0.01);
});

test("the pointer's direction", () => {
  assert.deepEqual(towards(3, 4, 50), { x: 0, y: 0 });
  assert.deepEqual(towards(30, 40, 100), { x: 0.3, y: 0.4 });
  assert.deepEqual(towards(0, -500, 50), { x: 0, y: -1 });
});
