// The proof of work, held to that of the server.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { findWork, parseWork, Search, sha256 } from "../src/work.ts";

interface Case {
  secret: string;
  holder: string;
  salt: string;
  bits: number;
  nonce: string;
}

test("proofs are those that package internal/line finds", () => {
  const cases = JSON.parse(readFileSync(`${process.env["LINE_TESTDATA"]}/work.json`, "utf8")) as Case[];
  assert(cases.length > 20);
  for (const c of cases) assert.equal(new Search(c, c.secret).next(1 << 20), c.nonce, JSON.stringify(c));
});

test("hashes are those of SHA-256, whatever their length", async () => {
  for (let n = 0; n < 200; n++) {
    const bytes = Uint8Array.from({ length: n }, (_, i) => 7 * i + n);
    assert.deepEqual(sha256(bytes), await reference(bytes), `${n} bytes`);
  }
});

async function reference(bytes: Uint8Array<ArrayBuffer>): Promise<Int32Array> {
  const sum = new DataView(await crypto.subtle.digest("SHA-256", bytes));
  return Int32Array.from({ length: 8 }, (_, i) => sum.getInt32(4 * i));
}

test("a search runs over the halves of a nonce", () => {
  const w = { bits: 16, salt: "0123456789abcdef" };
  const first = new Search(w, "0123456789abcdef").next(1 << 20);
  assert.equal(new Search(w, "0123456789abcdef", 0xffffffff, 0xffffffff).next(1 << 20), first);
});

test("a search ends with a proof, or when the player gives up", async () => {
  const w = { bits: 12, salt: "0123456789abcdef" }, secret = "0123456789abcdef";
  const found = await findWork(w, secret, new AbortController().signal);
  const words = [parseInt(found.slice(0, 8), 16), parseInt(found.slice(8), 16)] as const;
  assert.equal(new Search(w, secret, ...words).next(1), found);
  const given = new AbortController();
  given.abort();
  await assert.rejects(findWork({ ...w, bits: 26 }, secret, given.signal), /abort/);
});

test("work that cannot be is none", () => {
  const salt = "0123456789abcdef";
  assert.deepEqual(parseWork({ work_bits: 20, work_salt: salt }), { bits: 20, salt });
  for (const bits of [0, -1, 27, 1.5, "20", null, undefined, NaN]) {
    assert.equal(parseWork({ work_bits: bits, work_salt: salt }), null, String(bits));
  }
  for (const s of ["", "0123", salt + "0", "0123456789abcdeg", 1, null, undefined]) {
    assert.equal(parseWork({ work_bits: 20, work_salt: s }), null, String(s));
  }
});
