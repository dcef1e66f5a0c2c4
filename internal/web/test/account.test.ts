// What the account page asks for and how it puts the answers into words, against a server of the test's own.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  account, addresses, beginFactor, changePassword, confirmFactor, deleteAccount, exported, factor, finishRecovery,
  forgetDevice, history, logoutEverywhere, recover, removeFactor, rename, setAsk, setEmail,
} from "../src/account/calls.ts";
import { since } from "../src/account/devices.ts";
import { date, moment, refused, within } from "../src/account/words.ts";
import { BadAnswer, NoAnswer, Refusal, sessionIn } from "../src/api.ts";

interface Asked { method: string; path: string; credentials: string; bearer: string; body: object | null }

/** Has the server give one answer, and returns what it is asked. */
function answer(status: number, body: unknown): Asked[] {
  const asked: Asked[] = [];
  Object.assign(globalThis, {
    document: { baseURI: "https://a.example/eu/play/#account", getElementById: () => ({ dataset: {} }) },
    fetch: (url: URL, init: RequestInit) => {
      asked.push({
        method: String(init.method), path: url.pathname, credentials: String(init.credentials),
        bearer: (init.headers as Record<string, string>)["Authorization"] ?? "",
        body: init.body ? JSON.parse(String(init.body)) as object : null,
      });
      const text = typeof body === "string" ? body : JSON.stringify(body);
      return Promise.resolve(new Response(status === 204 ? null : text, { status }));
    },
  });
  return asked;
}

const at = "2026-11-29T03:00:00.000Z";
const device = { handle: "0123456789abcdef", label: "phone", created_at: at, used_at: at, expires_at: at };

test("the account is read with the cookie, by which the node knows this device", async () => {
  const asked = answer(200, { name: "anna", created_at: at, devices: [device, { ...device, this: true }] });
  const a = await account("t");
  assert.deepEqual(a.devices.map((d) => d.this), [false, true]);
  assert.equal(a.created, Date.parse(at));
  assert.deepEqual(asked, [
    { method: "GET", path: "/eu/v1/account", credentials: "same-origin", bearer: "Bearer t", body: null },
  ]);
});

test("an account that makes no sense is none", async () => {
  for (const body of [
    {}, { name: "anna", created_at: at }, { name: "anna", created_at: "yesterday", devices: [] },
    { name: "anna", created_at: at, devices: [{ ...device, label: 7 }] },
    { name: "anna", created_at: at, devices: [{ ...device, used_at: null }] },
  ]) {
    answer(200, body);
    await assert.rejects(account("t"), BadAnswer, JSON.stringify(body));
  }
});

test("a change of the password may bring a session, or none", async () => {
  const { signal } = new AbortController(), change = { current: "old", new: "better", attempt_id: "0123456789abcdef" };
  const asked = answer(200, { session_token: "n", player_id: 7, remembered: true });
  const s = await changePassword("t", { ...change, remember: "phone" }, signal);
  assert.deepEqual(s, { token: "n", playerID: 7, remembered: true });
  assert.deepEqual(asked, [{
    method: "POST", path: "/eu/v1/password", credentials: "same-origin", bearer: "Bearer t",
    body: { ...change, remember: "phone", remember_cookie: true },
  }]);
  const plain = answer(204, null);
  assert.equal(await changePassword("t", change, signal), null);
  assert.equal(plain[0]?.credentials, "omit");
  assert.deepEqual(plain[0]?.body, change);
});

test("devices are forgotten by their handles", async () => {
  const asked = answer(204, null);
  await forgetDevice("t", "a/b");
  await logoutEverywhere("t");
  assert.deepEqual(asked.map((a) => `${a.method} ${a.path}`),
    ["DELETE /eu/v1/account/devices/a%2Fb", "POST /eu/v1/account/logout-everywhere"]);
});

test("when the account is to be deleted is told with it, and with a session", async () => {
  answer(200, { name: "anna", created_at: at, devices: [], delete_at: at, rename_at: at });
  const a = await account("t");
  assert.deepEqual([a.deleteAt, a.renameAt], [Date.parse(at), Date.parse(at)]);
  answer(200, { name: "anna", created_at: at, devices: [] });
  assert.deepEqual((({ deleteAt, renameAt }) => [deleteAt, renameAt])(await account("t")), [0, 0]);
  const session = { session_token: "n", player_id: 7 };
  assert.deepEqual(sessionIn({ ...session, delete_at: at }).deleteAt, Date.parse(at));
  for (const never of [{}, { delete_at: null }, { delete_at: "soon" }]) {
    assert(!("deleteAt" in sessionIn({ ...session, ...never })));
  }
  const asked = answer(200, { delete_at: at });
  assert.equal(await deleteAccount("t", { password: "p", code: "123456" }), Date.parse(at));
  assert.deepEqual(asked[0]?.body, { password: "p", code: "123456" });
});

test("a proof goes as the node wants it, and with a code only if there is one", async () => {
  const asked = answer(200, { code_valid_ms: 900_000, session_token: "n", player_id: 7 });
  assert.equal(await setEmail("t", "a@example.org", { password: "p" }), 900_000);
  await setEmail("t", "a@example.org", { password: "p", code: "123456" });
  assert.equal((await rename("t", "eve", { password: "p" }))?.token, "n");
  assert.equal(await recover("anna"), 900_000);
  assert.deepEqual(asked.map((a) => [a.path, a.body, a.bearer]), [
    ["/eu/v1/account/email", { email: "a@example.org", current: "p" }, "Bearer t"],
    ["/eu/v1/account/email", { email: "a@example.org", current: "p", code: "123456" }, "Bearer t"],
    ["/eu/v1/account/name", { name: "eve", password: "p" }, "Bearer t"],
    ["/eu/v1/recover", { username: "anna" }, ""],
  ]);
  const more = answer(204, null);
  assert.equal(await rename("t", "eve", { password: "p" }), null);
  await setAsk("t", { password: "p", code: "1" }, "always");
  await removeFactor("t", { password: "p", code: "1" });
  await finishRecovery({ username: "anna", code: "c", password: "n" });
  assert.deepEqual(more.slice(1).map((a) => `${a.method} ${a.path} ${JSON.stringify(a.body)}`), [
    'POST /eu/v1/account/totp/ask {"password":"p","code":"1","ask":"always"}',
    'DELETE /eu/v1/account/totp {"password":"p","code":"1"}',
    'POST /eu/v1/recover/finish {"username":"anna","code":"c","password":"n"}',
  ]);
});

test("what is told of addresses and the second factor", async () => {
  answer(200, { email: "a@example.org" });
  assert.deepEqual(await addresses("t"), { proved: "a@example.org", pending: "", mail: true });
  answer(200, { pending: "a@example.org", mail: false });
  assert.deepEqual(await addresses("t"), { proved: "", pending: "a@example.org", mail: false });
  answer(200, { active: true, ask: "always", recovery_codes: 3 });
  assert.deepEqual(await factor("t"), { active: true, ask: "always", left: 3 });
  answer(200, { active: false, recovery_codes: 0 });
  assert.deepEqual(await factor("t"), { active: false, ask: "new-devices", left: 0 });
  const setup = { secret: "ABCD", uri: "otpauth://totp/x", qr: "data:image/png;base64,iVBO/+A=" };
  answer(200, setup);
  assert.deepEqual(await beginFactor("t", { password: "p" }), { secret: "ABCD", uri: setup.uri, png: "iVBO/+A=" });
  for (const bad of [{ qr: "https://a.example/x.png" }, { uri: "javascript:alert(1)" }, { secret: 7 }]) {
    answer(200, { ...setup, ...bad });
    await assert.rejects(beginFactor("t", { password: "p" }), BadAnswer, JSON.stringify(bad));
  }
  answer(200, { recovery_codes: [] });
  await assert.rejects(confirmFactor("t", "1"), BadAnswer);
});

test("the export is what the node has written, to the letter, and the history is read", async () => {
  const text = '{"big": 9007199254740993}';
  answer(200, text);
  assert.equal(await exported("t"), text);
  answer(200, { events: [{ at, kind: "login", sign_in: true, by_operator: false, address: "::1" }] });
  const [e] = await history("t");
  assert.deepEqual(e, { at: Date.parse(at), kind: "login", byOperator: false, address: "::1", device: "" });
  answer(200, {});
  await assert.rejects(history("t"), BadAnswer);
});

test("times and refusals in words", () => {
  const H = 3600_000, now = Date.parse(at);
  assert.deepEqual([-5000, 0, 5 * H, 23.9 * H, 24 * H, 49 * H].map((ms) => since(now - ms, now)),
    ["just now", "just now", "5 hours ago", "23 hours ago", "yesterday", "2 days ago"]);
  assert.equal(date(Date.parse("2026-11-29T12:00:00Z")), "29 Nov 2026");
  assert(/^29 Nov 2026, \d\d:00$/.test(moment(Date.parse("2026-11-29T12:00:00Z"))));
  assert.deepEqual([0, 900_000].map(within), ["soon", "within 15 minutes"]);
  assert.equal(refused(new Refusal("rate-limited", "", 12_000)), "That was a lot at once. Please try again in 12 s.");
  assert.equal(refused(new NoAnswer()), "No answer from the server. Please try again.");
  assert.equal(refused(new Refusal("new-one", "Its words.")), "Its words.");
});
