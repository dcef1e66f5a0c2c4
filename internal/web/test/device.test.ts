// The device on which a player stays logged in, against a server and browsers of the test's own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { alone, withWord } from "../src/alone.ts";
import { NoAnswer, Refusal } from "../src/api.ts";
import { Device } from "../src/device.ts";
import { deviceLabel } from "../src/label.ts";
import { comeBackFailure } from "../src/words.ts";

/** A browser's storage, which its tabs share. */
class Storage {
  readonly items = new Map<string, string>();
  full = false;
  getItem(k: string): string | null { return this.items.get(k) ?? null; }
  setItem(k: string, v: string): void {
    if (this.full) throw new Error("quota");
    this.items.set(k, v);
  }
  removeItem(k: string): void { this.items.delete(k); }
}

/** A browser's IndexedDB, as far as the page uses it: each call is over a little later. */
class Databases {
  readonly texts = new Map<string, string>();
  refuses = false;
  hangs = false;
  open(): object {
    const soon = (f: () => void): void => void setTimeout(f, 1);
    const store = {
      get: (k: string) => ({ result: this.texts.get(k) }),
      put: (v: string, k: string) => (this.texts.set(k, v), {}),
    };
    const db = {
      close: () => undefined,
      transaction: () => {
        const t = { oncomplete: () => undefined, objectStore: () => store };
        soon(() => t.oncomplete());
        return t;
      },
    };
    const request = { result: db, onsuccess: () => undefined, onerror: () => undefined };
    if (!this.hangs) soon(() => this.refuses ? request.onerror() : request.onsuccess());
    return request;
  }
}

interface Asked { method: string; path: string; body: Record<string, unknown>; credentials: string; bearer: string }

/** Has the page's browser begin anew. The server answers as it is told, a null being no answer. */
function browser(answers: ([number, object] | null)[] = [], locks = true) {
  const storage = new Storage(), databases = new Databases();
  const asked: Asked[] = [];
  let busy = 0, most = 0;
  const queue = new Map<string, Promise<unknown>>();
  Object.assign(globalThis, {
    localStorage: storage,
    indexedDB: databases,
    document: { baseURI: "https://a.example/eu/play/" },
    fetch: async (url: URL, init: RequestInit) => {
      most = Math.max(most, ++busy);
      await new Promise((r) => setTimeout(r, 5));
      busy--;
      const headers = init.headers as Record<string, string>;
      asked.push({
        method: String(init.method), path: url.pathname, body: JSON.parse(String(init.body)) as Record<string, unknown>,
        credentials: String(init.credentials), bearer: headers["Authorization"] ?? "",
      });
      const [status, body] = answers[asked.length - 1] ?? [0, {}];
      if (!status) throw new TypeError("network");
      return new Response(status === 204 ? null : JSON.stringify(body), { status });
    },
  });
  Object.defineProperty(globalThis, "navigator", {
    configurable: true,
    value: locks ? { locks: { request: (name: string, _: object, f: () => Promise<unknown>) => {
      const turn = (queue.get(name) ?? Promise.resolve()).then(f, f);
      queue.set(name, turn);
      return turn;
    } } } : {},
  });
  return { storage, databases, asked, most: () => most };
}

const never = new AbortController().signal;
const inside: [number, object] = [200, { session_token: "t", player_id: 7, remembered: true }];
const no = (status: number, reason: string): [number, object] => [status, { reason, message: "No.", retry_after_ms: 5 }];
const attempts = (asked: Asked[]): unknown[] => asked.map((a) => a.body["attempt_id"]);

test("a device that is not remembered asks nothing", async () => {
  const { asked } = browser();
  const d = new Device();
  assert(d.usable && d.name === "" && !d.leaving);
  await assert.rejects(d.resume(false, never), Refusal);
  assert.equal(asked.length, 0);
});

test("a session is opened with the cookie alone, below whatever path", async () => {
  const { asked, storage } = browser([inside, inside]);
  const d = new Device();
  d.remember("alice");
  assert.equal(new Device().name, "alice");
  assert.deepEqual(await d.resume(false, never), { token: "t", playerID: 7, remembered: true });
  assert.deepEqual(await d.resume(true, never), { token: "t", playerID: 7, remembered: true });
  const [first, second] = asked;
  assert.deepEqual([first?.path, first?.method, first?.credentials, first?.bearer], ["/eu/v1/resume", "POST", "same-origin", ""]);
  assert.deepEqual(Object.keys(first?.body ?? {}).sort(), ["attempt_id", "device_id", "remember_cookie"]);
  assert.equal(first?.body["device_id"], second?.body["device_id"], "the browser's name stays");
  assert.equal(second?.body["takeover"], true);
  assert(/^[\w-]{16,64}$/.test(String(first?.body["attempt_id"])));
  assert(first?.body["attempt_id"] !== second?.body["attempt_id"], "each use that was answered has an attempt of its own");
  assert(![...storage.items.values()].join().includes('"t"'));
});

test("a use that was not answered with a session is the same attempt again, in every tab and after a reload", async () => {
  const { asked } = browser([
    null, no(503, "server-busy"), no(504, "request-expired"), no(409, "already-logged-in"), no(500, "internal-error"),
    [200, { hello: 1 }], inside, inside,
  ]);
  new Device().remember("alice");
  for (let i = 0; i < 6; i++) await new Device().resume(i > 3, never).then(() => assert(false), () => undefined);
  await new Device().resume(true, never);
  assert.equal(new Set(attempts(asked)).size, 1);
  await new Device().resume(true, never);
  assert.equal(new Set(attempts(asked)).size, 2);
});

test("a browser without IndexedDB keeps an attempt all the same", async () => {
  const { asked, databases } = browser([null, no(503, "server-busy"), inside, inside]);
  databases.refuses = true;
  new Device().remember("alice");
  for (let i = 0; i < 2; i++) await new Device().resume(false, never).then(() => assert(false), () => undefined);
  for (let i = 0; i < 2; i++) await new Device().resume(true, never);
  assert.deepEqual(attempts(asked).map((a) => attempts(asked).indexOf(a)), [0, 0, 0, 3]);
});

test("a browser whose IndexedDB does not answer holds up no tab, and keeps an attempt all the same", async () => {
  const { asked, databases } = browser([null, inside, inside]);
  databases.hangs = true;
  const real = globalThis.setTimeout;
  const passed = ((run: () => void, ms = 0) => real(run, ms < 1000 ? ms : 5)) as typeof setTimeout;
  globalThis.setTimeout = passed;
  try {
    new Device().remember("alice");
    await new Device().resume(false, never).then(() => assert(false), () => undefined);
    for (let i = 0; i < 2; i++) await new Device().resume(true, never);
  } finally {
    globalThis.setTimeout = real;
  }
  assert.deepEqual(attempts(asked).map((a) => attempts(asked).indexOf(a)), [0, 0, 2]);
});

// What is in localStorage reaches the process of another tab late, also when that has waited for its turn.
test("a tab that reads what was in the storage before does not repeat the attempt of another", async () => {
  const { asked, storage } = browser([inside, no(409, "already-logged-in")]);
  new Device().remember("alice");
  const { fetch } = globalThis;
  let before: [string, string][] = []; // while the first one waits for its answer
  globalThis.fetch = (...args) => {
    before = [...storage.items];
    return fetch(...args);
  };
  await new Device().resume(false, never);
  for (const [key, value] of before) storage.items.set(key, value);
  await assert.rejects(new Device().resume(false, never), Refusal);
  assert.equal(new Set(attempts(asked)).size, 2);
});

test("an attempt of a page of before, which kept it in localStorage, is gone on with once", async () => {
  const { asked, storage } = browser([null, inside, inside]);
  new Device().remember("alice");
  const [key, value] = [...storage.items][0] as [string, string];
  const old = "0123456789abcdef0123456789abcdef";
  await new Promise((r) => setTimeout(r, 5));
  storage.items.set(key, value.replace('"attempt":""', `"attempt":"${old}"`));
  await assert.rejects(new Device().resume(false, never), NoAnswer);
  for (let i = 0; i < 2; i++) await new Device().resume(false, never);
  assert.deepEqual(attempts(asked).map((a) => a === old), [true, true, false]);
});

test("a node that knows no names of browsers is asked without one", async () => {
  const words = "The body has a field other than resume_token, attempt_id, remember_cookie.";
  const { asked } = browser([[400, { reason: "missing-credentials", message: words }], inside]);
  const d = new Device();
  d.remember("alice");
  await d.resume(false, never);
  assert.deepEqual(asked.map((a) => "device_id" in a.body), [true, false]);
  assert.equal(new Set(attempts(asked)).size, 1);
});

test("a device that the server does not know is forgotten, and for nothing less", async () => {
  for (const reason of ["account-disabled", "wrong-zone", "rate-limited", "missing-credentials"]) {
    browser([no(403, reason)]);
    const d = new Device();
    d.remember("alice");
    await assert.rejects(d.resume(false, never), Refusal);
    assert.equal(d.name, "alice", reason);
  }
  const { storage } = browser([no(401, "bad-credentials")]);
  const d = new Device();
  d.remember("alice");
  const err = await d.resume(false, never).then(() => null, (e: unknown) => e);
  assert.equal(d.name, "");
  assert.deepEqual([...storage.items.keys()], ["rushgate.device-id"], "nothing is left but the browser's own name");
  assert(comeBackFailure(err).includes("type your password"));
});

test("two tabs do not use the token at once", async () => {
  for (const locks of [true, false]) {
    const { asked, most } = browser([inside, no(409, "already-logged-in"), no(409, "already-logged-in")], locks);
    new Device().remember("alice");
    const tabs = [new Device(), new Device(), new Device()];
    const all = await Promise.allSettled(tabs.map((d) => d.resume(false, never)));
    assert.deepEqual(all.map((r) => r.status).sort(), ["fulfilled", "rejected", "rejected"]);
    assert.equal(most(), 1, `locks ${locks}`);
    assert.equal(new Set(attempts(asked)).size, 2, "the second one knows that the first was answered");
  }
});

test("a tab that was closed with the word for itself holds up others for a while only", async () => {
  const { storage } = browser([], false);
  storage.setItem("x", JSON.stringify({ id: "gone", until: Date.now() + 200 }));
  const from = Date.now();
  assert.equal(await alone("x", never, () => Promise.resolve(5)), 5);
  assert(Date.now() - from >= 195);
  for (const word of ["{", "null", "5", '{"id":1,"until":9e15}', JSON.stringify({ id: "a", until: Date.now() + 1e9 })]) {
    storage.setItem("x", word);
    assert.equal(await withWord("x", never, () => Promise.resolve(6)), 6, word);
  }
  await assert.rejects(withWord("x", never, () => Promise.reject(new NoAnswer())), NoAnswer);
  assert.equal(storage.items.size, 0);
  storage.setItem("x", JSON.stringify({ id: "other", until: Date.now() + 30_000 }));
  const cancel = new AbortController();
  setTimeout(() => cancel.abort(), 20);
  await assert.rejects(withWord("x", cancel.signal, () => Promise.resolve(7)), { name: "AbortError" });
});

test("a player who logs out is forgotten here at once, and the server is told until it answers", async () => {
  const { asked } = browser([null, no(503, "server-busy"), [204, {}]]);
  const d = new Device();
  d.remember("alice");
  await assert.rejects(d.leave("session"), NoAnswer);
  assert(d.name === "" && d.leaving);
  await assert.rejects(d.resume(false, never), Refusal);
  await assert.rejects(new Device().leave(), Refusal);
  await new Device().leave();
  assert(!d.leaving && d.name === "");
  assert.deepEqual(asked.map((a) => [a.method, a.path, a.credentials]), Array(3).fill(["DELETE", "/eu/v1/resume", "same-origin"]));
  assert.deepEqual(asked.map((a) => a.bearer), ["Bearer session", "", ""]);
});

test("a login that is remembered while the server has yet to hear of a logout is kept", async () => {
  browser([null, [204, {}]]);
  const d = new Device();
  d.remember("alice");
  await assert.rejects(d.leave("session"), NoAnswer);
  d.remember("bob");
  assert(d.name === "bob" && !d.leaving);
});

test("without storage there is no device, and nothing fails", () => {
  const { storage } = browser();
  storage.full = true;
  const d = new Device();
  assert(!d.usable);
  d.remember("alice");
  assert.equal(d.name, "");
});

test("what only looks like a device is none, and each path has its own", () => {
  const { storage } = browser();
  const d = new Device("/v1/");
  d.remember("alice");
  const [key, value] = [...storage.items][0] as [string, string];
  assert.equal(new Device("/eu/v1/").name, "");
  for (const bad of [
    "", "{", "null", "5", "[]", "{}", value.replace('"alice"', "7"), value.replace('"attempt":""', '"attempt":"a b"'),
    value.replace('"alice"', '""'), value.replace("false", '"no"'),
  ]) {
    storage.items.set(key, bad);
    assert(d.name === "" && !d.leaving, bad);
  }
});

test("a device is called by browser and system, in words", () => {
  const mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15";
  const names: [string, string, number?][] = [
    ["Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Linux"],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", "Chrome on Windows"],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0", "Edge on Windows"],
    ["Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36", "Chrome on Android"],
    ["Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0 Mobile Safari/537.36", "Samsung Internet on Android"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0 Mobile/15E148 Safari/604.1", "Chrome on iPhone"],
    ["Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", "Chrome on ChromeOS"],
    [mac, "Safari on Mac"], [mac, "Safari on iPad", 5], ["curl/8", "Browser"], ["", "Browser"],
    ["x".repeat(10_000) + " Firefox/1 \u0000 Linux", "Firefox on Linux"],
  ];
  for (const [userAgent, want, maxTouchPoints] of names) {
    const got = deviceLabel({ userAgent, maxTouchPoints: maxTouchPoints ?? 0 });
    assert.equal(got, want);
    assert(got.length <= 64);
  }
});
