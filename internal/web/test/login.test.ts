import assert from "node:assert/strict";
import { test } from "node:test";
import { BadAnswer, NoAnswer, Refusal, refusal, type Credentials, type Session } from "../src/api.ts";
import { jitter, sleep } from "../src/backoff.ts";
import { authenticate, TooBusy, type Wait } from "../src/login.ts";
import { ago, away, clock, failure, lost, opening, timeLeft, waiting } from "../src/words.ts";

const session: Session = { token: "t", playerID: 7, remembered: false };

/** Answers with one of the given after the other, and keeps what was asked and waited for. */
function server(answers: (Session | Error)[], random = 0.5) {
  const asked: Credentials[] = [];
  const waits: Wait[] = [];
  const slept: number[] = [];
  const attempt = {
    signal: new AbortController().signal,
    random: () => random,
    onWait: (w: Wait) => void waits.push(w),
    sleep: (ms: number) => Promise.resolve(void slept.push(ms)),
    send: (c: Credentials) => {
      asked.push({ ...c });
      const a = answers[asked.length - 1] ?? new Error("asked too often");
      return a instanceof Error ? Promise.reject(a) : Promise.resolve(a);
    },
  };
  return { asked, waits, slept, attempt };
}

const who = { username: "anna", password: "secret" };

test("a busy server is asked again, never earlier than it says, as the same attempt", async () => {
  const s = server([new Refusal("server-busy", "", 1300), new Refusal("request-expired"), new NoAnswer(), session]);
  assert.equal(await authenticate(s.attempt, who), session);
  assert.deepEqual(s.slept, [1300, 1000, 2000]); // half of 1, 2 and 4 s, and not before 1.3 s
  assert.deepEqual(s.waits.map((w) => w.retry), [1, 2, 3]);
  assert.equal(new Set(s.asked.map((c) => c.attempt_id)).size, 1);
  assert(/^[A-Za-z0-9_-]{16,64}$/.test(s.asked[0]?.attempt_id ?? ""));
  assert.deepEqual(s.waits.map((w) => waiting(w, w.delay)), [
    "Server is busy, retrying in 2 s (1 of 3)",
    "Server is busy, retrying in 1 s (2 of 3)",
    "No answer from the server, retrying in 2 s (3 of 3)",
  ]);
});

test("after three retries it is over", async () => {
  const busy = server(Array.from({ length: 9 }, () => new Refusal("server-busy", "", 10)));
  await assert.rejects(authenticate(busy.attempt, who), TooBusy);
  assert.equal(busy.asked.length, 4);
  assert.equal(failure(new TooBusy(new Refusal("server-busy"))), "Server is too busy. Please try again later.");
});

test("whoever is told to stay away for long gives up", async () => {
  const s = server([new Refusal("server-busy", "", 300_001)]);
  await assert.rejects(authenticate(s.attempt, who), TooBusy);
  assert.equal(s.slept.length, 0);
});

test("other refusals are final, and each attempt has an id of its own", async () => {
  const ids = new Set<string | undefined>();
  for (const reason of ["bad-credentials", "rate-limited", "already-logged-in", "wrong-zone", "internal-error", "new-one"]) {
    const s = server([new Refusal(reason, "", 5)]);
    await assert.rejects(authenticate(s.attempt, who), Refusal, reason);
    assert.equal(s.asked.length, 1, reason);
    ids.add(s.asked[0]?.attempt_id);
  }
  assert.equal(ids.size, 6);
});

const work = (wait = 1000): Refusal => refusal(503, null, {
  reason: "server-busy", message: "busy", retry_after_ms: wait, work_bits: 4, work_salt: "0123456789abcdef",
}) as Refusal;

/** The line that a page waits in, as far as an attempt sees it. */
const inLine = {
  credentials: { line_secret: "0123456789abcdef" },
  wait: () => Promise.resolve(), away: () => Promise.reject(new Error("away")),
};

test("the work that a place costs is done, and is no retry", async () => {
  const told = { place: 1, low: 0, high: 0, pollAfter: 1000, turn: 1, ticket: "t", lost: "" } as const;
  const placed = new Refusal("server-busy", "", 1000, "", 503, told);
  const s = server([work(), placed, session]);
  let works = 0;
  assert.equal(await authenticate({ ...s.attempt, line: inLine, onWork: () => void works++ }, who), session);
  assert.deepEqual(s.asked.map((c) => /^[0-9a-f]{16}$/.test(c.line_work ?? "")), [false, true, false]);
  assert.equal(works, 1);
  assert.equal(s.waits.length, 0);
  assert(s.slept.length === 1 && (s.slept[0] ?? 0) <= 1000);
});

test("a server that takes no proof is too busy in the end", async () => {
  const s = server(Array.from({ length: 9 }, () => work()));
  await assert.rejects(authenticate({ ...s.attempt, line: inLine }, who), TooBusy);
  assert.equal(s.asked.length, 5);
  assert.equal(new Set(s.asked.map((c) => c.line_work)).size, 5);
});

test("a cancelled pause ends the attempt", async () => {
  const s = server([new Refusal("server-busy", "", 60_000), session]);
  const cancel = new AbortController();
  const attempt = { ...s.attempt, signal: cancel.signal, sleep, onWait: () => cancel.abort() };
  await assert.rejects(authenticate(attempt, who), { name: "AbortError" });
  assert.equal(s.asked.length, 1);
});

test("jitter is full, grows and is capped", () => {
  assert.deepEqual([0, 1, 2, 4, 5, 40].map((n) => jitter(n, () => 1)), [1000, 2000, 4000, 16000, 30000, 30000]);
  assert.equal(jitter(3, () => 0), 0);
});

test("answers of nodes and of proxies", () => {
  const busy = refusal(503, "2", { reason: "server-busy", message: "m", retry_after_ms: 1300 });
  assert(busy instanceof Refusal && busy.reason === "server-busy" && busy.retryAfter === 1300);
  const zone = refusal(421, null, { reason: "wrong-zone", message: "m", address: "b.example:1" });
  assert(zone instanceof Refusal && zone.address === "b.example:1");
  const proxied = refusal(503, "2", null);
  assert(proxied instanceof Refusal && proxied.reason === "server-busy" && proxied.retryAfter === 2000);
  const late = refusal(429, new Date(Date.now() + 60_000).toUTCString(), null);
  assert(late instanceof Refusal && late.reason === "rate-limited" && late.retryAfter > 50_000);
  const old = refusal(503, new Date(0).toUTCString(), null);
  assert(old instanceof Refusal && old.retryAfter === 0);
  assert(refusal(502, null, null) instanceof NoAnswer);
  assert(refusal(500, "x", { reason: "Not A Reason" }) instanceof BadAnswer);
  assert(refusal(0, null, { reason: "server-busy" }) instanceof BadAnswer); // a redirect, which is not followed
});

test("every reason has words", () => {
  const reasons = [
    "server-busy", "rate-limited", "bad-credentials", "username-taken", "already-logged-in", "missing-credentials",
    "request-expired", "wrong-zone", "internal-error",
  ];
  for (const r of reasons) assert(!failure(new Refusal(r)).includes(r), r);
  assert(failure(new Refusal("rate-limited", "", 300_000)).includes("in 5 minutes"));
  assert(failure(new Refusal("wrong-zone", "", 0, "b:1")).includes("b:1"));
  assert.equal(failure(new Refusal("new-one", "Its words.")), "Its words.");
});

test("waits, times and losses in words", () => {
  const M = 60_000, H = 60 * M;
  const waits: [number, number, string][] = [
    [0, 5_000, "a few seconds"], [2_000, 30_000, "less than a minute"], [10_000, 61_000, "less than 2 minutes"],
    [3.2 * M, 4.9 * M, "about 3 to 5 minutes"], [3 * M, 3 * M, "about 3 minutes"],
    [11 * M, 23 * M, "about 10 to 25 minutes"], [2 * M, 21 * M, "less than 25 minutes"],
    [62 * M, 90 * M, "about 60 to 90 minutes"], [62 * M, 91 * M, "about 1 to 2 hours"],
    [80 * M, 2.2 * H, "about 1 to 2½ hours"],
    [20 * M, 2.6 * H, "less than 3 hours"], [3 * H, 3 * H, "about 3 hours"], [30 * H, 50 * H, "more than a day"],
  ];
  for (const [low, high, want] of waits) assert.equal(timeLeft(low, high), want);
  assert.deepEqual([0, 9_999, 34_000, 60_000, 130_000, 7_200_000].map(ago), [
    "just now", "just now", "30 seconds ago", "1 minute ago", "2 minutes ago", "2 hours ago",
  ]);
  assert.deepEqual([-5, 0, 1, 65_000, 600_000, 3_600_000, 36_061_000].map(clock), [
    "0:00", "0:00", "0:01", "1:05", "10:00", "1:00:00", "10:01:01",
  ]);
  for (const why of ["expired", "used", "unknown"] as const) assert(lost(why).includes("new one"), why);
  assert.equal(away(new NoAnswer(), 4_001), "The server does not answer. Your place is kept; trying again in 5 s.");
  assert(away(new Refusal("rate-limited"), 300_000).includes("in 5 minutes"));
});

const shut = (mode: string, wait: number): Refusal =>
  refusal(503, null, { reason: "server-busy", message: "Back soon", retry_after_ms: wait, mode, opens_at: "2027-01-31T18:00:00.000Z" }) as Refusal;

test("at closed doors the page tries again for as long as it takes, and shows what the operator says", async () => {
  const s = server([shut("closed", 7_200_000), shut("closed", 40_000), shut("closed", 40_000), shut("staff", 40_000), session]);
  const signs: unknown[] = [];
  assert.equal(await authenticate({ ...s.attempt, onDoors: (d) => void signs.push(d) }, who), session);
  assert.deepEqual(s.slept, [7_200_000, 40_000, 40_000, 40_000]);
  assert.deepEqual(signs[0], { mode: "closed", message: "Back soon", opensAt: Date.UTC(2027, 0, 31, 18) });
  assert.deepEqual(s.waits.map((w) => waiting(w, w.delay)).slice(2), [
    "Trying again in 40 s.",
    "You are not let in for now: only some players are, or the name or the password is wrong. Trying again in 40 s.",
  ]);
});

test("doors and appeals that make no sense are not shown", () => {
  for (const mode of [undefined, 7, "", "open", "<b>"]) {
    assert.equal((refusal(503, null, { reason: "server-busy", message: "m", mode }) as Refusal).shut, null);
  }
  const appeal = (url: unknown): string =>
    (refusal(403, null, { reason: "account-disabled", message: "m", appeal_url: url }) as Refusal).appeal;
  assert.equal(appeal("https://example.org/appeal"), "https://example.org/appeal");
  for (const bad of ["http://example.org/", "javascript:alert(1)", "https://a:b@example.org/", "/x", 7]) assert.equal(appeal(bad), "");
});

test("when doors open, in words", () => {
  const now = new Date(2027, 0, 31, 12).getTime();
  assert.equal(opening(0, now), "This page tries again by itself.");
  assert(/^It should open any moment/.test(opening(now - 1, now)));
  assert(/^It is to open at 13:00, in 60 minutes\. This page/.test(opening(now + 3600_000, now)));
  assert(/^It is to open on 2 Feb 2027, 12:00, in 48 hours\./.test(opening(now + 48 * 3600_000, now)));
});
