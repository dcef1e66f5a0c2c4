// The wait in the line, against a node and a clock of the test's own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BadAnswer, NoAnswer, Refusal, refusal, type Credentials, type Session, type Told } from "../src/api.ts";
import { authenticate } from "../src/login.ts";
import type { LineDocument } from "../src/line.ts";
import { InLine, newPlace, sleepThrough, type Place, type View } from "../src/turn.ts";

const session: Session = { token: "t", playerID: 7, remembered: false };
const START = 1_800_000_000_000;

/** A line in which one is called every so often, asked by one page. */
class Fake {
  now = START;
  pace = 10;
  serving = 0; // how many have been called
  opens = 0; // when the line opens
  readonly log: string[] = [];
  readonly views: View[] = [];
  readonly sent: Credentials[] = [];
  readonly pauses: number[] = [];
  kept: Place | null = null;
  /** Answers in place of the usual ones, one after the other. */
  documents: (Error | LineDocument)[] = [];
  answers: (Error | Session)[] = [];
  cancel = new AbortController();
  readonly line: InLine;

  constructor(place: Place = newPlace()) {
    this.line = new InLine(place, {
      document: () => this.document(), signal: this.cancel.signal, random: () => 0.5, sleep: (ms) => this.pass(ms),
    }, {
      onPlace: (v) => {
        this.views.push(v);
        this.log.push(`place ${v.place}`);
      },
      onLost: (why) => void this.log.push(`lost ${why}`),
      onAway: (why) => void this.log.push(`away ${why instanceof Refusal ? why.reason : why.constructor.name}`),
      onTurn: () => void this.log.push("turn"),
      onChange: (p) => {
        this.kept = p;
      },
    });
  }

  private pass(ms: number): Promise<void> {
    this.pauses.push(ms);
    this.now += ms;
    this.serving = Math.max(this.serving, ((this.now - START) / 1000) * this.pace);
    return this.cancel.signal.aborted ? Promise.reject(new Error("gone")) : Promise.resolve();
  }

  private document(): Promise<LineDocument> {
    this.log.push("document");
    const next = this.documents.shift();
    if (next) return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
    // Turn n of those who wait is at START - 100,000 + n.
    const called = Math.floor(this.serving);
    const first = START - 100_000 + called;
    return Promise.resolve({
      now: this.now, serving: first, pace: this.pace, opens: this.opens > this.now ? this.opens : 0, factor: 0.4,
      marks: [{ turn: first, before: 0 }, { turn: START, before: 100_000 - called }],
    });
  }

  /** What a refusal tells the one with turn n. */
  told(n: number, more: Partial<Told> = {}): Refusal {
    const eta = ((n - this.serving) / this.pace) * 1000;
    return new Refusal("server-busy", "", 1000, "", 503, {
      place: n, low: eta * 0.75, high: eta * 1.3 + 5000, pollAfter: eta / 2, turn: START - 100_000 + n,
      ticket: "ticket-1", lost: "", ...more,
    });
  }

  enter(): Promise<Session> {
    return authenticate({
      send: (c) => {
        this.sent.push(c);
        this.log.push("knock");
        const a = this.answers.shift() ?? session;
        return a instanceof Error ? Promise.reject(a) : Promise.resolve(a);
      },
      onWait: (w) => void this.log.push(`retry ${w.retry}`),
      signal: this.cancel.signal, line: this.line, random: () => 0.5, sleep: (ms) => this.pass(ms),
    }, { username: "anna", password: "secret" });
  }
}

test("a player waits for the turn, and knocks twice in all", async () => {
  const f = new Fake();
  f.answers = [f.told(1000)];
  assert.equal(await f.enter(), session);
  assert.equal(f.log.filter((l) => l === "knock").length, 2);
  assert(f.log.filter((l) => l === "document").length < 8, f.log.join());
  assert.equal(f.log.at(-2), "turn");
  assert(f.now - START >= 100_000 && f.now - START < 103_000, `came after ${f.now - START} ms`);
  const [first, second] = f.sent;
  assert(first && second);
  assert(/^[\w-]{16,64}$/.test(first.line_secret ?? ""));
  assert.equal(first.line_secret, second.line_secret);
  assert.equal(first.ticket, undefined);
  assert.equal(second.ticket, "ticket-1");
  assert.equal(first.attempt_id, second.attempt_id);
});

test("the bar begins at 0, never goes back, and expects no more than the pace", async () => {
  const f = new Fake();
  f.answers = [f.told(1000)];
  await f.enter();
  let last = 0;
  assert.equal(f.views[0]?.done, 0);
  for (const v of f.views) {
    assert(v.done >= last && v.done <= 1 && v.soon >= v.done && v.soon <= 1, JSON.stringify(v));
    last = v.done;
  }
  assert(last > 0.9, `${last}`);
});

test("a place that grows sets the bar back no more than it does the player's ticket", async () => {
  const f = new Fake();
  f.answers = [f.told(1000), f.told(1500, { ticket: "" })]; // came too early, and others are before
  await f.enter();
  assert.deepEqual(f.sent.map((c) => c.ticket), [undefined, "ticket-1", "ticket-1"]);
  const done = f.views.map((v) => v.done);
  assert.deepEqual(done, [...done].sort((a, b) => a - b));
});

test("a place that is lost is told, with the new one from its beginning", async () => {
  const f = new Fake({ ...newPlace(), ticket: "old", turn: START - 99_000, first: 50, place: 3, done: 0.9 });
  f.answers = [f.told(400, { lost: "expired" })];
  await f.enter();
  assert.equal(f.sent[0]?.ticket, "old");
  assert.equal(f.sent[1]?.ticket, "ticket-1");
  assert(f.log.indexOf("lost expired") < f.log.indexOf("place 400"));
  assert.equal(f.views[0]?.done, 0);
});

test("what a refusal for other reasons leaves is the place", async () => {
  const f = new Fake();
  const other = [
    new NoAnswer(), new Refusal("server-busy", "", 2000, "", 503), new Refusal("request-expired"),
    new Refusal("rate-limited", "", 60_000, "", 429), new BadAnswer("HTTP status 404"),
  ];
  f.answers = [f.told(100), ...other, ...Array.from({ length: 9 }, () => new NoAnswer())];
  assert.equal(await f.enter(), session);
  assert.equal(f.sent.length, 16);
  assert(f.sent.slice(1).every((c) => c.ticket === "ticket-1"));
  assert(f.pauses.includes(60_000) && f.pauses.includes(2000)); // never earlier than asked
  for (const reason of ["bad-credentials", "username-taken", "internal-error", "rate-limited"]) {
    const g = new Fake();
    g.answers = [g.told(100), new Refusal(reason, "", 300_001)];
    await assert.rejects(g.enter(), Refusal, reason);
    assert.equal(g.kept?.ticket, "ticket-1", reason);
  }
});

test("a server that goes away costs no place, however long it takes", async () => {
  const f = new Fake();
  f.answers = [f.told(1000)];
  const away = Array.from({ length: 20 }, () => new NoAnswer());
  f.documents = [new NoAnswer(), new Refusal("server-busy", "", 90_000, "", 503), ...away];
  assert.equal(await f.enter(), session);
  assert.equal(f.sent.length, 2);
  assert(f.log.includes("away NoAnswer") && f.log.includes("away server-busy"));
  assert(f.pauses.includes(90_000));
  assert(f.pauses.every((ms) => ms >= 500));
});

test("a node without a document is asked with the ticket, as often as its refusals say", async () => {
  for (const missing of [new Refusal("not-found", "", 0, "", 404), new BadAnswer("line")]) {
    const f = new Fake();
    f.documents = Array.from({ length: 30 }, () => missing);
    f.answers = [f.told(1000), f.told(500, { ticket: "" })];
    assert.equal(await f.enter(), session);
    assert.equal(f.sent.length, 3);
  }
});

test("before the opening a countdown is shown, and the places are those after it", async () => {
  const f = new Fake();
  const now = Date.now;
  Date.now = () => f.now;
  try {
    f.pace = 0;
    f.serving = 1e6; // once it is open, the turn has come
    // Its turn lies ahead, so the page asks at once whether the line has yet to open.
    f.answers = [f.told(300, { low: 600_000, high: 640_000, pollAfter: 450_000, turn: START + 570_000 })];
    f.documents = [600_000, 200_000].map((opens) => ({
      now: START + 600_000 - opens, serving: START, pace: 10, opens: START + 600_000, factor: 0.4,
      marks: [{ turn: START + 540_000, before: 0 }, { turn: START + 600_000, before: 600 }],
    }));
    await f.enter();
  } finally {
    Date.now = now;
  }
  assert(f.pauses[0] !== undefined && f.pauses[0] <= 2000);
  assert.deepEqual(f.views.map((v) => v.opens), [0, 600_000, 200_000]);
  assert(f.views.slice(1).every((v) => v.done === 0 && v.soon === 0 && v.place === 301));
});

test("a page that was loaded again goes on with its place", async () => {
  const first = new Fake();
  first.answers = [first.told(1000)];
  await first.enter();
  const again = new Fake({ ...first.kept as Place, turn: START - 100_000 + 500, done: 0.3, first: 1000 });
  await again.line.turn();
  assert.equal(again.sent.length, 0);
  assert.equal(again.log[0], "document");
  assert(again.views.every((v) => v.done >= 0.3));
  assert.equal(again.log.at(-1), "turn");
  assert.equal(again.line.credentials.ticket, "ticket-1");
});

test("the bar is where it was when the page is loaded again, by the time that has passed", () => {
  const at = (passed: number): Place => ({
    ...newPlace(), ticket: "t", turn: START - 99_500, first: 1000, place: 800, done: 0.2, soon: 0.4, next: 60_000,
    heard: Date.now() - passed,
  });
  for (const [passed, want] of [[0, 0.2], [30_000, 0.3], [3_600_000, 0.4], [-3_600_000, 0.2]] as const) {
    const place = at(passed);
    new Fake(place);
    assert(Math.abs(place.done - want) < 0.01, `${passed}: ${place.done}, want ${want}`);
  }
});

test("a node of before there was a line is asked without a word of it", async () => {
  const old = new Refusal("missing-credentials", "The body has a field other than username, password, attempt_id.");
  const f = new Fake();
  f.answers = [new NoAnswer(), old, new Refusal("server-busy", "", 1000)];
  assert.equal(await f.enter(), session);
  assert.deepEqual(f.sent.map((c) => c.line_secret !== undefined), [true, true, false, false]);
  assert.deepEqual(f.log.filter((l) => l.startsWith("retry")), ["retry 1", "retry 2"]);
  for (const words of ["The username is too short.", "The body has a field other than username, line_secret."]) {
    const g = new Fake();
    g.answers = [new Refusal("missing-credentials", words)];
    await assert.rejects(g.enter(), Refusal);
    assert.equal(g.sent.length, 1);
  }
});

test("leaving ends the wait", async () => {
  const f = new Fake();
  f.answers = [f.told(1000)];
  const entered = f.enter();
  f.cancel.abort(new Error("left"));
  await assert.rejects(entered, { message: "left" });
  assert.equal(f.sent.length, 1);
});

test("a network that comes back ends the pause, and never before a server wants to be asked", async () => {
  const busy = new Refusal("server-busy", "", 40, "", 503);
  for (const [answer, ends] of [[new NoAnswer(), true], [busy, false]] as const) {
    let ended = false;
    const line = new InLine(newPlace(), {
      document: () => Promise.reject(answer), signal: new AbortController().signal,
      sleep: (_, signal) => new Promise((_, reject) => signal.addEventListener("abort", () => {
        ended = true;
        reject(signal.reason as Error);
      })),
    }, { onPlace: () => {}, onLost: () => {}, onAway: () => {}, onTurn: () => {}, onChange: () => {} });
    line.hurry(); // with nothing to hurry
    const pause = line.away(answer, 3);
    line.hurry();
    if (ends) await pause;
    assert.equal(ended, ends);
  }
});

test("a wait goes by the time of day where the clock of timers stands still", async () => {
  const day = Date.now;
  try {
    const pause = sleepThrough(3_600_000, new AbortController().signal);
    Date.now = () => day() + 3_600_000;
    await pause; // the next time that it looks
  } finally {
    Date.now = day;
  }
});

test("what a refusal tells of the line is taken only as a whole", () => {
  const body = {
    reason: "server-busy", message: "m", retry_after_ms: 60_000, place: 12, eta_low_ms: 5, eta_high_ms: 9,
    poll_after_ms: 7_200_000, turn_ms: 17, ticket: "abc-_9", place_lost: "used",
  };
  const told = (more: object): Told | null => (refusal(503, "60", { ...body, ...more }) as Refusal).told;
  assert.deepEqual(told({}), {
    place: 12, low: 5, high: 9, pollAfter: 7_200_000, turn: 17, ticket: "abc-_9", lost: "used",
  });
  assert.equal(told({ ticket: undefined })?.ticket, "");
  assert.equal(told({ ticket: "no ticket!" })?.ticket, "");
  assert.equal(told({ ticket: "x".repeat(129) })?.ticket, "");
  assert.equal(told({ place_lost: "stolen" })?.lost, "unknown");
  assert.equal(told({ place_lost: undefined })?.lost, "");
  assert.equal(told({ poll_after_ms: 0 })?.pollAfter, 1000);
  assert.equal(told({ place: 0 })?.place, 1);
  for (const k of ["place", "eta_low_ms", "eta_high_ms", "poll_after_ms", "turn_ms"]) {
    for (const v of [undefined, null, "5", -1, NaN, Infinity]) assert.equal(told({ [k]: v }), null, `${k} ${v}`);
  }
  assert.equal((refusal(429, null, { ...body, reason: "rate-limited" }) as Refusal).told, null);
});
