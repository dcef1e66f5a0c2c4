// Guests, and those who come back from a provider.

import assert from "node:assert/strict";
import { test } from "node:test";
import { guestSecret, knownGuest } from "../src/guest.ts";
import { label, providers, returned, visit, wantsLink } from "../src/provider.ts";

/** Gives the page a storage, or one that may not be used. */
function storage(name: "localStorage" | "sessionStorage", usable = true): Map<string, string> {
  const kept = new Map<string, string>();
  const may = (): void => {
    if (!usable) throw new DOMException("", "SecurityError");
  };
  Object.defineProperty(globalThis, name, { configurable: true, value: {
    getItem: (k: string) => (may(), kept.get(k) ?? null),
    setItem: (k: string, v: string) => (may(), kept.set(k, v)),
    removeItem: (k: string) => (may(), kept.delete(k)),
  } });
  return kept;
}

test("a browser is one guest, by 32 bytes of chance", () => {
  const kept = storage("localStorage");
  assert.equal(knownGuest(), "");
  const secret = guestSecret();
  assert(/^[\w-]{43}$/.test(secret));
  assert.equal(guestSecret(), secret);
  assert.equal(knownGuest(), secret);
  kept.set("rushgate.guest", "what somebody has put there");
  assert(guestSecret() !== "what somebody has put there");
  storage("localStorage", false);
  assert(/^[\w-]{43}$/.test(guestSecret()));
  assert(guestSecret() !== guestSecret());
});

test("what a visit has brought is good once, and until its time", () => {
  const kept = storage("sessionStorage");
  const proof = (expires: number): string =>
    JSON.stringify({ provider: "guild", proof: "p", expires_at: new Date(Date.now() + expires).toISOString() });
  assert.equal(returned(), null);
  kept.set("rushgate.identity", proof(60_000));
  assert.deepEqual(returned(), { provider: "guild", proof: "p" });
  assert.equal(returned(), null);
  for (const bad of [proof(-1), "{", "null", "{}", JSON.stringify({ provider: 1, proof: "p", expires_at: "x" })]) {
    kept.set("rushgate.identity", bad);
    assert.equal(returned(), null, bad);
  }
  storage("sessionStorage", false);
  assert.equal(returned(), null);
  assert.equal(wantsLink(), false);
});

test("a visit goes to a page of the provider's, and remembers what for", async () => {
  const kept = storage("sessionStorage");
  let went = "", asked = "";
  Object.defineProperty(globalThis, "location", { configurable: true, value: { assign: (u: URL) => went = u.href } });
  const ask = (url: string) => (path: string): Promise<Record<string, unknown>> => {
    asked = path;
    return Promise.resolve({ url });
  };
  await visit(ask("https://id.example/auth?x=1"), "guild", true);
  assert.deepEqual([went, asked, wantsLink()], ["https://id.example/auth?x=1", "identities/guild/begin", true]);
  await visit(ask("https://id.example/auth"), "guild");
  assert.equal(wantsLink(), false);
  went = "";
  for (const bad of ["javascript:alert(1)", "http://id.example/", "nothing"]) {
    await assert.rejects(visit(ask(bad), "guild"), { name: /Error/ });
  }
  assert.equal(went, "");
  assert.equal(kept.size, 0);
});

test("those providers are offered that browsers may go to", async () => {
  const all = [
    { name: "google", browser: true }, { name: "native", browser: false }, { name: "<b>", browser: true }, {},
  ];
  assert.deepEqual(await providers(() => Promise.resolve({ providers: all })), [{ name: "google", label: "Google" }]);
  assert.deepEqual(await providers(() => Promise.resolve({})), []);
  assert.equal(label("steam"), "Steam");
});
