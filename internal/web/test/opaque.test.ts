// What the page has of OPAQUE besides the library: the rules for new passwords, what it knows of names, and the proof of
// a session, which is that of package opaque.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hasMoved, noteMoved } from "../src/opaque/moved.ts";
import { prepared, wrongWith } from "../src/opaque/password.ts";
import { proofOf } from "../src/opaque/session.ts";
import { text } from "../src/passkey.ts";

/** Has the page's browser begin anew. */
function browser(passwordMin = "", full = false): Map<string, string> {
  const items = new Map<string, string>();
  Object.assign(globalThis, {
    document: { baseURI: "https://a.example/eu/play/", getElementById: () => ({ dataset: { passwordMin } }) },
    localStorage: {
      getItem: (k: string) => items.get(k) ?? null,
      setItem: (k: string, v: string) => {
        if (full) throw new Error("quota");
        items.set(k, v);
      },
    },
  });
  return items;
}

test("a session's proof is the HMAC-SHA256 that a node makes", async () => {
  const secret = Uint8Array.from({ length: 64 }, (_, i) => 255 - i);
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  for (const token of ["", "rgs1.abc", "x".repeat(300)]) {
    const want = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(`rushgate session\0${token}`));
    assert.equal(proofOf(token, text(secret.buffer)), text(want));
  }
});

test("a password is proved in the same form from every keyboard", () => {
  assert.equal(prepared("a\u00a0b\u3000c"), "a b c");
  assert.equal(prepared("e\u0301"), "\u00e9");
  assert.equal(prepared("ﬁ Å"), "ﬁ Å"); // no compatibility forms, as in RFC 8265
});

test("new passwords are held to the rules of a node", () => {
  browser();
  for (const [password, about] of [
    ["short", "at least 8 characters"], ["password1", "commonest"], ["ＰＡＳＳＷＯＲＤ１", "commonest"], ["ööööööööö", "commonest"],
    ["carol-anne", "username"], ["Carol-Anne", "username"], ["tab\ttab\ttab", "not allowed"],
  ] as const) {
    const said = wrongWith(password, "carol-anne");
    assert(said.includes(about), `${password}: ${said}`);
    assert(!said.includes(password));
  }
  for (const password of ["correct horse", "𝒳𝒳𝒳𝒳𝒴𝒴𝒴𝒴", "eight!!!"]) assert.equal(wrongWith(password, "carol"), "");
  browser("10");
  assert(wrongWith("ninechars", "carol").includes("at least 10 characters"));
});

test("a browser knows for which names it has proved a password, and keeps no name", () => {
  const items = browser();
  assert(!hasMoved("Ada"));
  noteMoved("Ada");
  assert(hasMoved("Ada") && hasMoved("ada") && hasMoved("ａｄａ") && !hasMoved("bob"));
  assert(!JSON.stringify([...items]).toLowerCase().includes("ada"));
  const [key] = [...items.keys()] as [string];
  for (let i = 0; i < 100; i++) noteMoved(`player-${i}`);
  assert(!hasMoved("ada") && hasMoved("player-99") && items.get(key)!.length < 64 * 30);
  for (const bad of ["", "{", "null", "5", "{}", "[5]"]) {
    items.set(key, bad);
    assert(!hasMoved("player-99"), bad);
  }
  browser("", true);
  noteMoved("ada");
  assert(!hasMoved("ada"));
});
