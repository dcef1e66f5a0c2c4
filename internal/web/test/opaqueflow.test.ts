// When the page proves a password by OPAQUE and when it sends it, against a node and a library of the test's own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { NoAnswer, Refusal, type Call, type Credentials, type Session } from "../src/api.ts";
import { Kept } from "../src/opaque/kept.ts";
import { noteMoved } from "../src/opaque/moved.ts";
import { confirmed, enter, replaced, type Page } from "../src/opaque/opaque.ts";
import { proofOf } from "../src/opaque/session.ts";

const KEY = "A".repeat(86);
const never = new AbortController().signal;
const no = (status: number, reason: string): Refusal => new Refusal(reason, "", 0, "", status);
const session: Session = { token: "t", playerID: 7, remembered: false, proof: proofOf("t", KEY) };

/** Has the browser begin anew. Its node answers the ways in as it is told, and knows the password. */
function browser(mode: string, ins: (Session | Error)[], { knows = "correct horse", start = null as Error | null } = {}) {
  const asked: string[] = [], computed: string[] = [], items = new Map<string, string>();
  let running = 0;
  class FakeWorker {
    onmessage = (_: { data: object }): void => undefined;
    constructor() { running++; }
    postMessage([name, params]: [string, { password: string }]): void {
      computed.push(name);
      const opened = params.password === knows;
      const answer = name === "finishLogin" && !opened ? undefined
        : { startLoginRequest: "1", finishLoginRequest: "3", sessionKey: KEY, registrationRecord: "u" };
      setTimeout(() => this.onmessage({ data: { answer } }));
    }
    terminate(): void { running--; }
  }
  Object.assign(globalThis, {
    Worker: FakeWorker,
    document: {
      baseURI: "https://a.example/play/", getElementById: () => ({ dataset: { opaque: mode, worker: "w.js" } }),
    },
    localStorage: {
      getItem: (k: string) => items.get(k) ?? null, setItem: (k: string, v: string) => void items.set(k, v),
    },
  });
  const page: Page = {
    call: async (path: string, c: Call) => {
      asked.push(`${path} ${JSON.stringify(c.body)}`);
      if (start) throw start;
      return { ke2: "2", response: "r", state: `s${asked.length}` };
    },
    enter: async (kind, c) => {
      asked.push(`${kind} ${JSON.stringify(c)}`);
      const next = ins.shift() ?? no(500, "internal-error");
      if (next instanceof Error) throw next;
      return next;
    },
    Refusal, tell: () => undefined,
  };
  const paths = (): string[] => asked.splice(0).map((a) => a.split(" ")[0]!);
  return { page, paths, asked, computed, running: () => running };
}

/** Has the time of what is kept for long pass, and not hold up the end of the tests. */
const late: (() => void)[] = [], soon = globalThis.setTimeout;
globalThis.setTimeout = ((run: () => void, ms = 0) => ms < 1000 ? soon(run, ms) : late.push(run)) as typeof setTimeout;

let players = 0;
/** A login of a player of whom nothing is known yet. */
const as = (password = "correct horse", more = {}): Credentials =>
  ({ username: `player-${players++}`, password, attempt_id: "a", ...more });
const settled = (): Promise<void> => new Promise((r) => setTimeout(r, 20));
const reason = (p: Promise<unknown>): Promise<string> => p.then(() => "", (e: Refusal) => e.reason);

test("a password that is proved is not sent, and the worker is gone after it", async () => {
  const { page, paths, asked, running } = browser("prefer", [session]);
  assert.equal(await enter("login", as(), never, page), session);
  assert(!asked.join().includes("correct horse"));
  assert.deepEqual(paths(), ["opaque/login/start", "opaque-login"]);
  assert.equal(running(), 0);
});

test("where the proof fails the password is sent, and the account moves over", async () => {
  const { page, paths } = browser("prefer", [session], { knows: "something else" });
  await enter("login", as(), never, page);
  await settled();
  assert.deepEqual(paths(), ["opaque/login/start", "login", "opaque/register/start", "opaque/register/finish"]);
});

test("a try that is made again proves nothing again", async () => {
  const { page, paths, computed } = browser("prefer", [no(503, "server-busy"), no(401, "second-factor"), session]);
  const c = as();
  assert.equal(await reason(enter("login", c, never, page)), "server-busy");
  assert.equal(await reason(enter("login", c, never, page)), "second-factor");
  await enter("login", { ...c, code: "123456" }, never, page);
  assert.deepEqual(paths(), ["opaque/login/start", "opaque-login", "opaque-login", "opaque-login"]);
  assert.equal(computed.filter((n) => n === "finishLogin").length, 1);

  const wrong = browser("prefer", [no(503, "server-busy"), session], { knows: "something else" });
  const d = as();
  assert.equal(await reason(enter("login", d, never, wrong.page)), "server-busy");
  await enter("login", d, never, wrong.page);
  assert.deepEqual(wrong.paths().slice(0, 3), ["opaque/login/start", "login", "login"]);
});

test("what was computed is forgotten after a time, the password that did not open the answer as well", async () => {
  for (const knows of ["correct horse", "something else"]) {
    const { page, paths } = browser("prefer", [no(503, "server-busy"), no(503, "server-busy")], { knows });
    const c = as();
    late.length = 0;
    await reason(enter("login", c, never, page));
    for (const run of late.splice(0)) run();
    await reason(enter("login", c, never, page));
    assert.equal(paths().filter((p) => p === "opaque/login/start").length, 2, knows);
  }
});

test("what is kept names no password", () => {
  const kept = new Kept<string>(), whose = ["login", "ada", "correct horse"];
  kept.keep(whose, performance.now() + 1e6, "proof");
  assert.equal(kept.of([...whose]), "proof");
  assert.equal(kept.of(["login", "ada", "another horse"]), null);
  assert(!JSON.stringify(kept).includes("horse"));
  kept.keep(whose, performance.now() - 1, "proof");
  assert.equal(kept.of(whose), null);
});

test("a state that the node has used up, or may have, is followed by another proof", async () => {
  const { page, paths } = browser("prefer", [
    no(503, "server-busy"), no(409, "missing-credentials"), new NoAnswer(), no(401, "second-factor"), session,
  ]);
  const c = as();
  await reason(enter("login", c, never, page));
  await assert.rejects(enter("login", c, never, page), NoAnswer); // after a second proof
  assert.equal(await reason(enter("login", { ...c, code: "1" }, never, page)), "second-factor"); // a wrong code
  await enter("login", { ...c, code: "2" }, never, page);
  assert.equal(paths().filter((p) => p === "opaque/login/start").length, 4);
});

test("no password is sent where none is taken, nor for a name that has moved over", async () => {
  for (const start of [null, no(404, "missing-credentials")]) {
    for (const mode of ["only", "prefer"]) {
      const { page, paths } = browser(mode, [session], { knows: "something else", start });
      const c = as();
      if (mode === "prefer") noteMoved(c.username);
      const got = await reason(enter("login", c, never, page));
      assert.equal(got, start ? "missing-credentials" : mode === "only" ? "bad-credentials" : "not-sent");
      assert.deepEqual(paths(), ["opaque/login/start"]);
    }
  }
  const { page, paths } = browser("prefer", [session], { start: no(404, "missing-credentials") });
  await enter("login", as(), never, page);
  assert.deepEqual(paths().slice(0, 2), ["opaque/login/start", "login"], "a node that knows no OPAQUE any more");
});

test("a session of who does not know the account is refused", async () => {
  for (const proof of [{}, { proof: proofOf("other", KEY) }]) {
    const { page } = browser("prefer", [{ token: "t", playerID: 7, remembered: false, ...proof }]);
    assert.equal(await reason(enter("login", as(), never, page)), "not-the-server");
  }
});

test("a registration shows no password, and a bad one is refused before anything is asked", async () => {
  const { page, paths, asked } = browser("prefer", [session]);
  assert.equal(await reason(enter("register", as("password1"), never, page)), "missing-credentials");
  assert.deepEqual(paths(), []);
  await enter("register", as(), never, page);
  assert(!asked.join().includes("correct horse"));
  assert.deepEqual(paths(), ["opaque/register/start", "opaque-register"]);
});

test("a proof for a change is shown again with a code, and computed again after a wrong one", async () => {
  const { page, computed } = browser("prefer", []);
  const answers = [no(401, "second-factor"), no(401, "second-factor"), null], seen: string[] = [];
  const send = async (p: { login_state: string }): Promise<string> => {
    seen.push(p.login_state);
    const next = answers.shift();
    if (next) throw next;
    return "done";
  };
  const password = "correct horse";
  assert.equal(await reason(confirmed("token", { password }, page, send)), "second-factor");
  assert.equal(await reason(confirmed("token", { password, code: "1" }, page, send)), "second-factor");
  assert.equal(await confirmed("token", { password, code: "2" }, page, send), "done");
  assert(seen[0] === seen[1] && seen[1] !== seen[2]);
  assert.equal(computed.filter((n) => n === "finishLogin").length, 2);
  assert.equal(await reason(confirmed("token", { password: "wrong horse" }, page, send)), "bad-credentials");
});

test("another password whose answer was lost is sent again as it was, and computed anew if that came too late", async () => {
  const { page, computed } = browser("prefer", []);
  const seen: string[] = [], answers = [new NoAnswer(), new NoAnswer(), no(409, "missing-credentials")];
  const change = (): Promise<void> => replaced("token", "ada", { password: "correct horse" }, "better horse", page,
    async (p) => {
      seen.push(p.login_state + p.state);
      const next = answers.shift();
      if (next) throw next;
    });
  await assert.rejects(change(), NoAnswer);
  await assert.rejects(change(), NoAnswer);
  await change(); // is refused, and computed again
  assert(seen.length === 4 && seen[0] === seen[1] && seen[1] === seen[2] && seen[2] !== seen[3]);
  assert.equal(computed.filter((n) => n === "finishRegistration").length, 2);
});

test("a proof for a change that is given up ends the worker, and sends nothing", async () => {
  const { page, running } = browser("prefer", []);
  const cancel = new AbortController(), send = (): Promise<never> => Promise.reject(new Error("sent"));
  const p = confirmed("token", { password: "correct horse" }, { ...page, giveUp: cancel.signal }, send);
  cancel.abort();
  await assert.rejects(p, { name: "AbortError" });
  assert(running() <= 0);
});

test("a proof that is given up ends the worker", async () => {
  const { page, running } = browser("prefer", [session]);
  const cancel = new AbortController(), p = enter("login", as(), cancel.signal, page);
  cancel.abort();
  await assert.rejects(p, { name: "AbortError" });
  assert(running() <= 0);
});
