// When the account page proves a password by OPAQUE, whatever the node says of the account.

import assert from "node:assert/strict";
import { test } from "node:test";
import { account, changePassword, rename, setEmail, type Shown } from "../src/account/calls.ts";
import * as moved from "../src/opaque/moved.ts";

const at = "2026-11-29T03:00:00.000Z";
const { signal } = new AbortController();
/** What is loaded as the code of OPAQUE: it notes that it was asked, and its proof fails or does not. */
const stub = "data:text/javascript," + encodeURIComponent(`
  const prove = (send) => {
    stub.proofs++;
    stub.page.giveUp.throwIfAborted();
    if (stub.fails) throw new stub.page.Refusal("bad-credentials");
    return send({ login_state: "s", ke3: "3" });
  };
  export const only = () => stub.only, hasMovedIn = (token) => stub.movedIn === token;
  export const hasMoved = (name) => stub.moved.hasMoved(name), noteMoved = (name) => stub.moved.noteMoved(name);
  export const confirmed = async (token, shown, page, send) => (stub.page = page, prove(send));
  export const replaced = async (token, name, shown, next, page, send) => (stub.page = page, prove(send));
  export const notSent = (page) => new page.Refusal("not-sent");
  export const noPasswords = (page) => new page.Refusal("no-passwords");
  export const moveOver = async () => undefined;
`);

interface Node {
  only?: boolean; fails?: boolean; provedBy?: string | undefined; name?: string; door?: string; movedIn?: string;
  lost?: boolean;
}

/** Has the page begin anew with a node. */
function page({ only = false, fails = false, provedBy, name = "ada", door = "ada", movedIn = "", lost = false }: Node) {
  const items = new Map<string, string>(), sent: string[] = [];
  const stubbed = { only, fails, movedIn, moved, proofs: 0 };
  const elements: Record<string, object> = { username: { value: door, dataset: {} } };
  Object.assign(globalThis, {
    stub: stubbed,
    document: {
      baseURI: "https://a.example/play/",
      getElementById: (id: string) => elements[id] ?? { dataset: { opaque: only ? "only" : "prefer", code: stub } },
    },
    localStorage: {
      getItem: (k: string) => items.get(k) ?? null, setItem: (k: string, v: string) => void items.set(k, v),
    },
    fetch: async (url: URL, { body }: RequestInit) => {
      sent.push(String(body));
      const asks = url.pathname.endsWith("/account");
      if (lost && !asks) throw new TypeError("network");
      return new Response(asks ? JSON.stringify({ name, created_at: at, devices: [], proved_by: provedBy }) : "{}");
    },
  });
  return { stubbed, sent };
}

const deeds: ((shown: Shown) => Promise<unknown>)[] = [
  (shown) => setEmail("t", "ada@a.example", shown),
  (shown) => rename("t", "ida", shown),
  ({ password, computing }) =>
    changePassword("t", { current: password, new: "better horse", attempt_id: "a" }, signal, computing),
];
const reason = (p: Promise<unknown>): Promise<string> => p.then(() => "", (e: { reason: string }) => e.reason);

test("a node is sent no password because it says that the account has one", async () => {
  const nodes: [string, Node, boolean][] = [ // whether the account is known to be proved by OPAQUE
    ["a name that has moved", { provedBy: "password" }, true],
    ["the same of an account that has nothing", { provedBy: "nothing" }, true],
    ["the same of a node that does not say", {}, true],
    ["another name than that of the door", { provedBy: "password", name: "bob" }, true],
    ["a session that was opened by OPAQUE", { provedBy: "password", name: "bob", door: "bob", movedIn: "t" }, true],
    ["only, and a name that has moved", { only: true, provedBy: "password" }, true],
    ["only, and nothing", { only: true, provedBy: "nothing" }, false],
    ["only, and a node that does not say", { only: true }, false],
  ];
  for (const [what, node, known] of nodes) {
    for (const deed of deeds) {
      for (const fails of [true, false]) {
        const { stubbed, sent } = page({ ...node, fails });
        if (known && !node.movedIn) moved.noteMoved("ada");
        await account("t");
        assert.equal(await reason(deed({ password: "correct horse" })), fails ? "not-sent" : "", what);
        assert(stubbed.proofs > 0, what);
        assert(!sent.join().includes("horse"), what);
      }
    }
  }
});

test("where no password is taken and the account has one, nothing is sent", async () => {
  for (const deed of deeds) {
    const { stubbed, sent } = page({ only: true, provedBy: "password" });
    await account("t");
    assert.equal(await reason(deed({ password: "correct horse" })), "no-passwords");
    assert(!stubbed.proofs && sent.length === 1);
  }
});

test("the password of an account that was not seen to be proved otherwise is sent", async () => {
  for (const deed of deeds) {
    const { stubbed, sent } = page({ provedBy: "password" });
    await account("t");
    await deed({ password: "correct horse" });
    assert(!stubbed.proofs && sent.join().includes("correct horse"));
  }
});

test("a proof can be given up while it is computed, and not once it is sent", async () => {
  for (const deed of deeds) {
    page({ provedBy: "opaque" });
    await account("t");
    const told: boolean[] = [];
    await deed({ password: "correct horse", computing: (giveUp) => void told.push(Boolean(giveUp)) });
    assert.deepEqual(told, [true, false, false], "once more when all is over");

    const { sent } = page({ provedBy: "opaque" });
    await account("t");
    const done = deed({ password: "correct horse", computing: (giveUp) => giveUp?.abort() });
    await assert.rejects(done, { name: "AbortError" });
    assert.equal(sent.length, 1);
  }
});

test("a proof that the node asks for and that fails is a wrong password", async () => {
  page({ provedBy: "opaque", fails: true });
  await account("t");
  assert.equal(await reason(setEmail("t", "ada@a.example", { password: "wrong horse" })), "bad-credentials");
});

test("another name of an account that is proved by OPAQUE is held to it, also if the answer is lost", async () => {
  for (const lost of [false, true]) {
    for (const provedBy of ["opaque", "password"]) {
      page({ provedBy, lost });
      await account("t");
      await rename("t", "ida", { password: "correct horse" }).catch(() => undefined);
      assert.equal(moved.hasMoved("ida"), provedBy === "opaque", `${provedBy}, lost ${lost}`);
    }
  }
});
