// OPAQUE (RFC 9807): the password is proved, and does not leave the page. docs/opaque.md has the calls, docs/browser.md
// what the page does when. The page loads this file, and the worker that computes, when a password has been typed at a
// node that knows OPAQUE.

import type { call, Credentials, enter as send, Refusal, Session } from "../api.ts";
import { element } from "../page.ts";
import { deviceID } from "../stored.ts";
import type { Kind } from "../turn.ts";
import { Kept } from "./kept.ts";
import { hasMoved, noteMoved } from "./moved.ts";
import { prepared, wrongWith } from "./password.ts";
import { NotOpaque, NoWorker, Prover } from "./prover.ts";
import { proofOf } from "./session.ts";

/** What this file has of the one that has loaded it, which has modules, and so errors, of its own. */
export interface Page {
  call: typeof call;
  enter: typeof send;
  Refusal: typeof Refusal;
  /** Says what is under way. */
  tell: (text: string) => void;
  /** Has the proof of a change be given up; without it, none is. */
  giveUp?: AbortSignal;
}

/** What a call takes in place of a password. */
export type Proof = { login_state: string; ke3: string };
/** What a call takes in place of a new password. */
export type Upload = { state: string; upload: string };

const PROVING = "Proving your password…", SEALING = "Sealing your password…";
const NOT_SENT = "Wrong user name or password. This browser proves it without sending it; if those who run the game "
  + "have given you another password, ask them for a recovery code instead.";
const NOT_THE_SERVER = "What has answered is not the server that knows your password. Please check the address.";
const NO_WORKER = "This cannot be loaded, or this browser lets no page use WebAssembly, which it takes to prove a "
  + "password. Please check your connection, and try again.";
const NO_PASSWORDS = "This server takes no passwords any more, and your account still has one. Log out, and choose a "
  + "password with a recovery code: “Forgot the password?”";
const KEY_STRETCHING = "memory-constrained"; // Argon2id, 3 passes over 64 MiB in 4 lanes
const GOOD = 50_000; // ms for which a state is surely good

const never = new AbortController().signal;
const only = (): boolean => element("app").dataset["opaque"] === "only";

/** What has been computed for a request that may be sent again. */
interface Computed {
  fields: object;
  /** Of a login: what the server knows, too. */
  sessionKey: string;
}

const computed = new Kept<Computed>(), refused = new Kept<true>(); // a password that did not open the answer
let movedIn = ""; // the session in which an account was last seen to be proved by OPAQUE

/** Registers, or logs in, once. It has the signature of enter in api.ts, whose place it takes. */
export async function enter(kind: Kind, c: Credentials, signal: AbortSignal, page: Page): Promise<Session> {
  try {
    return await (kind === "register" ? register(c, signal, page) : login(c, signal, page));
  } catch (err) {
    throw inWords(err, page);
  }
}

async function register(c: Credentials, signal: AbortSignal, page: Page): Promise<Session> {
  const { password, ...rest } = c, whose = ["register", c.username, password];
  refuseWrong(password, c.username, page);
  let done = computed.of(whose);
  if (!done) {
    try {
      const fields = await uploaded(password, { username: c.username, ...device() }, signal, page);
      done = { fields, sessionKey: "" };
    } catch (err) {
      if (!isUnknown(err) || only()) throw err;
      return page.enter("register", c, signal); // the node has no OPAQUE any more
    }
    computed.keep(whose, performance.now() + GOOD, done);
  }
  return sent("opaque-register", done, c, rest, signal, page);
}

async function login(c: Credentials, signal: AbortSignal, page: Page): Promise<Session> {
  const { password, ...rest } = c, whose = ["login", c.username, password];
  const again = computed.of(whose), done = again ?? await proves(whose, c, signal, page);
  if (done) {
    try {
      return await sent("opaque-login", done, c, rest, signal, page);
    } catch (err) {
      if (!again || !isStale(err)) throw err;
      return login(c, signal, page);
    }
  }
  if (only() || hasMoved(c.username)) throw new page.Refusal(only() ? "bad-credentials" : "not-sent", NOT_SENT);
  const session = await page.enter("login", c, signal);
  moveOver(session.token, c.username, password, page).catch(() => undefined); // the next login tries again
  return session;
}

/** Sends what has been computed. It is forgotten, unless the answer is one after which it is good again. */
async function sent(
  path: "opaque-login" | "opaque-register", { fields, sessionKey }: Computed, c: Credentials, rest: object,
  signal: AbortSignal, page: Page,
): Promise<Session> {
  try {
    const session = await page.enter(path, { ...rest, ...fields } as Credentials, signal);
    if (sessionKey && session.proof !== proofOf(session.token, sessionKey)) {
      throw new page.Refusal("not-the-server", NOT_THE_SERVER);
    }
    computed.forget();
    movedIn = session.token;
    noteMoved(c.username);
    return session;
  } catch (err) {
    if (!isGoodAgain(err, c.code)) computed.forget();
    throw err;
  }
}

/** Reports whether what was sent can be sent once more after a refusal. */
const isGoodAgain = (err: unknown, code?: string): boolean =>
  ["server-busy", "already-logged-in", "wrong-zone"].includes(reasonOf(err))
  || reasonOf(err) === "second-factor" && !code;

/**
 * Proves the password to the end of which the server is told, and returns null if it is not the account's. It is not
 * tried again for a while with one that was not: the server counts each try.
 */
async function proves(whose: string[], c: Credentials, signal: AbortSignal, page: Page): Promise<Computed | null> {
  if (!only() && refused.of(whose)) return null;
  if (!only() && !hasMoved(c.username) && typeof WebAssembly === "undefined") return null;
  computed.forget();
  refused.forget();
  const until = performance.now() + GOOD;
  const begin = { path: "opaque/login/start", body: { username: c.username, ...device() } };
  try {
    const p = await proof(c.password, begin, signal, page);
    if (!p) return refused.keep(whose, until, true), null;
    const done = { fields: { state: p.login_state, ke3: p.ke3 }, sessionKey: p.sessionKey };
    computed.keep(whose, until, done);
    return done;
  } catch (err) {
    if (!isUnknown(err) || only() || hasMoved(c.username)) throw err;
    return null; // the node has no OPAQUE any more
  }
}

/** Has the account of a session proved by OPAQUE from now on, and the hash of its password dropped. */
export async function moveOver(token: string, username: string, password: string, page: Page): Promise<void> {
  if (typeof WebAssembly === "undefined") return;
  const finish = async (more: object): Promise<void> => {
    const fields = await uploaded(password, {}, never, { ...page, tell: () => undefined }, token);
    await page.call("opaque/register/finish", { method: "POST", body: { ...fields, ...more }, token });
  };
  try {
    await finish({});
  } catch (err) {
    if (!isStale(err)) throw err;
    await finish({ password }); // it is not this node at which the player has logged in
  }
  movedIn = token;
  noteMoved(username);
}

/** What is shown to prove an account; the code is of its second factor. */
interface Shown { password: string; code?: string }

/** Sends a request with a proof that it comes from the player of a session. A wrong password is refused as that. */
export const confirmed = <T>(token: string, shown: Shown, page: Page, send: (p: Proof) => Promise<T>): Promise<T> =>
  proven<Proof, T>(["confirm", token, shown.password], () => confirmation(token, shown.password, page),
    shown, page, send);

/**
 * Sends a request that replaces the password of an account which is proved by OPAQUE. After one without an answer, the
 * same can be sent again: the node may not have had it, or know it by its attempt_id.
 */
export const replaced = <T>(
  token: string, username: string, shown: Shown, next: string, page: Page, send: (p: Proof & Upload) => Promise<T>,
): Promise<T> => proven<Proof & Upload, T>(["replace", token, shown.password, next], async () => {
  refuseWrong(next, username, page);
  const proof = await confirmation(token, shown.password, page);
  return { ...proof, ...await uploaded(next, {}, page.giveUp ?? never, page, token) };
}, shown, page, send, true);

/** Sends what is computed. It is not computed again where the same can be sent once more, as with a code. */
async function proven<P extends object, T>(
  whose: string[], compute: () => Promise<P>, shown: Shown, page: Page, send: (p: P) => Promise<T>, repeats = false,
): Promise<T> {
  const again = computed.of(whose);
  try {
    let fields = again?.fields;
    if (!fields) {
      const until = performance.now() + GOOD;
      fields = await compute();
      computed.keep(whose, until, { fields, sessionKey: "" });
    }
    const done = await send(fields as P);
    computed.forget();
    return done;
  } catch (err) {
    const unanswered = repeats && !reasonOf(err);
    if (!unanswered && !isGoodAgain(err, shown.code)) computed.forget();
    if (again && repeats && isStale(err)) return proven(whose, compute, shown, page, send, repeats);
    throw inWords(err, page);
  }
}

async function confirmation(token: string, password: string, page: Page): Promise<Proof> {
  const p = await proof(password, { path: "opaque/confirm/start", token, body: {} }, page.giveUp ?? never, page);
  if (!p) throw new page.Refusal("bad-credentials");
  return { login_state: p.login_state, ke3: p.ke3 };
}

/** Reports whether the account of a session was seen in it to be proved by OPAQUE. */
export const hasMovedIn = (token: string): boolean => movedIn === token;

/** The error for what still takes a password where none is taken. */
export const noPasswords = (page: Page): Refusal => new page.Refusal("no-passwords", NO_PASSWORDS);

/** The error for a password that is not sent, and was no proof. */
export const notSent = (page: Page): Refusal => new page.Refusal("not-sent", NOT_SENT);

/** Registers another password for one that is lost. The name is noted once it holds. */
export async function recovering(username: string, password: string, page: Page): Promise<Upload> {
  try {
    refuseWrong(password, username, page);
    return await uploaded(password, { username, recover: true }, page.giveUp ?? never, page);
  } catch (err) {
    throw inWords(err, page);
  }
}

export { hasMoved, noteMoved, only };

/** Computes a proof, and returns it with the key that the server has then, too; null: the password is another one. */
async function proof(
  typed: string, begin: { path: string; body: object; token?: string }, signal: AbortSignal, page: Page,
): Promise<Proof & { sessionKey: string } | null> {
  const prover = new Prover(signal), password = prepared(typed), { path, body, ...as } = begin;
  try {
    page.tell(PROVING);
    const { startLoginRequest: ke1, clientLoginState } = await prover.ask("startLogin", { password });
    const a = await page.call(path, { ...as, method: "POST", body: { ...body, ke1 }, signal });
    const loginResponse = String(a["ke2"]);
    const done = await prover.ask("finishLogin",
      { clientLoginState, loginResponse, password, keyStretching: KEY_STRETCHING });
    if (!done) return null;
    return { login_state: String(a["state"]), ke3: done.finishLoginRequest, sessionKey: done.sessionKey };
  } finally {
    prover.end();
  }
}

/** Refuses a new password that is none. */
function refuseWrong(password: string, username: string, page: Page): void {
  const wrong = wrongWith(password, username);
  if (wrong) throw new page.Refusal("missing-credentials", wrong, 0, "", 400);
}

/** Computes a registration. */
async function uploaded(
  typed: string, of: object, signal: AbortSignal, page: Page, token?: string,
): Promise<Upload> {
  const prover = new Prover(signal), password = prepared(typed);
  try {
    page.tell(SEALING);
    const begun = await prover.ask("startRegistration", { password });
    const a = await page.call("opaque/register/start", {
      method: "POST", body: { ...of, request: begun.registrationRequest }, signal, ...(token ? { token } : {}),
    });
    const { clientRegistrationState } = begun, registrationResponse = String(a["response"]);
    const done = await prover.ask("finishRegistration",
      { clientRegistrationState, registrationResponse, password, keyStretching: KEY_STRETCHING });
    return { state: String(a["state"]), upload: done.registrationRecord };
  } finally {
    prover.end();
  }
}

const device = (): object => {
  const id = deviceID();
  return id ? { device_id: id } : {};
};

// Errors are of the classes of whoever has loaded this file, so they are told by what they hold.
const reasonOf = (err: unknown): string => String((err as Partial<Refusal> | null)?.reason ?? "");
const isUnknown = (err: unknown): boolean => (err as Partial<Refusal> | null)?.status === 404;
const isStale = (err: unknown): boolean =>
  (err as Partial<Refusal> | null)?.status === 409 && reasonOf(err) === "missing-credentials";

function inWords(err: unknown, page: Page): unknown {
  if (err instanceof NotOpaque) return new page.Refusal("not-the-server", NOT_THE_SERVER);
  return err instanceof NoWorker ? new page.Refusal("no-worker", NO_WORKER) : err;
}
