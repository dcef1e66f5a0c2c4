// What goes between the browser and the node when a passkey is made or shown.

import assert from "node:assert/strict";
import { test } from "node:test";
import { addPasskey, passkeys } from "../src/account/calls.ts";
import { BadAnswer } from "../src/api.ts";
import { bytes, choose, text } from "../src/passkey.ts";

test("bytes are base64url without padding, and back", () => {
  for (const [b, s] of [[[], ""], [[0], "AA"], [[251, 255], "-_8"], [[1, 2, 3], "AQID"]] as [number[], string][]) {
    assert.equal(text(new Uint8Array(b).buffer), s);
    assert.deepEqual([...bytes(s)], b);
  }
});

/** Has the browser do something when it is asked for a passkey. */
function browser(get: (o: CredentialRequestOptions) => Promise<unknown>): void {
  Object.defineProperty(globalThis, "navigator", { value: { credentials: { get } }, configurable: true });
}

const { signal } = new AbortController();
const options = { challenge: "AQID", rpId: "a.example", userVerification: "required" };
const call = (path: string): Promise<Record<string, unknown>> => {
  assert.equal(path, "passkey/start");
  return Promise.resolve({ options });
};

test("what the browser answers is told as its toJSON would", async () => {
  const buffer = new Uint8Array([1, 2, 3]).buffer;
  browser((o) => {
    assert.deepEqual([...o.publicKey!.challenge as Uint8Array], [1, 2, 3]);
    assert.equal(o.publicKey!.rpId, "a.example");
    return Promise.resolve({
      id: "AQID", rawId: buffer, type: "public-key",
      response: { clientDataJSON: buffer, authenticatorData: buffer, signature: buffer, userHandle: null },
    });
  });
  assert.deepEqual(await choose(call, signal), {
    id: "AQID", rawId: "AQID", type: "public-key", clientExtensionResults: {},
    response: { clientDataJSON: "AQID", authenticatorData: "AQID", signature: "AQID", userHandle: null },
  });
});

test("a player who closes the question is no error, and what cannot be asked is one", async () => {
  browser(() => Promise.reject(new DOMException("", "NotAllowedError")));
  assert.equal(await choose(call, signal), null);
  browser(() => Promise.reject(new DOMException("", "SecurityError")));
  await assert.rejects(choose(call, signal), { name: "SecurityError" });
});

test("passkeys are read as the node tells them", async () => {
  const at = "2026-11-29T03:00:00.000Z";
  const all = [{ handle: "h", name: "phone", created_at: at, synced: false }, { handle: "i", name: "key", created_at: at, used_at: at, synced: true }];
  let body: unknown = { passkeys: all };
  Object.assign(globalThis, {
    document: { baseURI: "https://a.example/play/" },
    fetch: () => Promise.resolve(new Response(JSON.stringify(body), { status: 200 })),
  });
  const created = Date.parse(at);
  const want = [{ handle: "h", name: "phone", created, used: 0 }, { handle: "i", name: "key", created, used: created }];
  assert.deepEqual(await passkeys("t"), want);
  assert.deepEqual(await addPasskey("t", "x", {}), want);
  body = { passkeys: [{ handle: 1 }] };
  await assert.rejects(passkeys("t"), BadAnswer);
});
