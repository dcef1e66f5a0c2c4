// What the account page asks for and how it puts the answers into words, against a server of the test's own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { account, changePassword, forgetDevice, logoutEverywhere } from "../src/account/calls.ts";
import { since } from "../src/account/devices.ts";
import { date, refused } from "../src/account/words.ts";
import { BadAnswer, NoAnswer, Refusal } from "../src/api.ts";

interface Asked { method: string; path: string; credentials: string; bearer: string; body: object | null }

/** Has the server give one answer, and returns what it is asked. */
function answer(status: number, body: unknown): Asked[] {
  const asked: Asked[] = [];
  Object.assign(globalThis, {
    document: { baseURI: "https://a.example/eu/play/#account" },
    fetch: (url: URL, init: RequestInit) => {
      asked.push({
        method: String(init.method), path: url.pathname, credentials: String(init.credentials),
        bearer: (init.headers as Record<string, string>)["Authorization"] ?? "",
        body: init.body ? JSON.parse(String(init.body)) as object : null,
      });
      return Promise.resolve(new Response(status === 204 ? null : JSON.stringify(body), { status }));
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

test("times and refusals in words", () => {
  const H = 3600_000, now = Date.parse(at);
  assert.deepEqual([-5000, 0, 5 * H, 23.9 * H, 24 * H, 49 * H].map((ms) => since(now - ms, now)),
    ["just now", "just now", "5 hours ago", "23 hours ago", "yesterday", "2 days ago"]);
  assert.equal(date(Date.parse("2026-11-29T12:00:00Z")), "29 Nov 2026");
  assert.equal(refused(new Refusal("rate-limited", "", 12_000)), "That was a lot at once. Please try again in 12 s.");
  assert.equal(refused(new NoAnswer()), "No answer from the server. Please try again.");
  assert.equal(refused(new Refusal("new-one", "Its words.")), "Its words.");
});
