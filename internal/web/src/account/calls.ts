// The calls about the account: docs/accounts.md and internal/api/openapi.yaml.

import { answer, BadAnswer, call, enter, Refusal, sessionIn, type Session, type Try } from "../api.ts";
import { knownGuest } from "../guest.ts";
import { element, hasOpaque, load } from "../page.ts";

const TIMEOUT = 10_000; // ms, of calls that take no hash

/** What a node tells of the account. Times are in ms since 1970. */
export interface Account {
  name: string;
  created: number;
  devices: Remembered[];
  /** When it is to be deleted; 0 if it is not. */
  deleteAt: number;
  /** From when on it can be renamed; 0 if that is now. */
  renameAt: number;
  /** What proves the account: password, opaque, identity, or nothing. */
  provedBy: string;
}

/** A device that the account is remembered on. */
export interface Remembered {
  /** Tells it from the others. */
  handle: string;
  label: string;
  used: number;
  expires: number;
  /** The page is on it. */
  this: boolean;
}

/** What a player shows to prove that the account is theirs. Both are secret. */
export interface Shown {
  password: string;
  /** Of the second factor, once the node has asked for one. */
  code?: string;
  computing?: Computing;
}

/** Is told that a proof is computed, which can be given up until null says that it is not any more. */
export type Computing = (giveUp: AbortController | null) => void;

/** What the code of OPAQUE is given of this one; each form says itself what it does. */
const page = { call, enter, Refusal, tell: (): void => undefined };
type OPAQUE = typeof import("../opaque/opaque.ts");
type Page = import("../opaque/opaque.ts").Page;
const opaque = (): Promise<OPAQUE> => load(element("status"));

/** Whose account it is, and what proves it, as the node has last told. */
let known = { name: "", provedBy: "" };

/**
 * Returns what proves the account if that is not to be the password itself. A password is sent only where the node
 * takes some, does not say that the account is proved by OPAQUE, and this browser has not seen it proved otherwise: the word of whoever can
 * speak for the node is not enough. Nor is it for whose account that is, so the name at the door counts as well.
 */
async function prover(token: string): Promise<OPAQUE | null> {
  if (!hasOpaque()) return null;
  const by = await opaque();
  const moved = by.hasMovedIn(token) || names().some(by.hasMoved);
  if (known.provedBy === "opaque" || moved) return by;
  if (!by.only()) return null;
  if (known.provedBy === "password") throw by.noPasswords(page);
  return by;
}

/** Under which names the account may have been proved before: as the node says, and as the player has come in. */
const names = (): string[] => [known.name, element<HTMLInputElement>("username").value];

/** Has a proof be computed by f, which says when it is. The account may have none, if the node has not said so. */
async function computed<T>(
  by: OPAQUE, computing: Computing | undefined, f: (page: Page, done: () => void) => Promise<T>,
): Promise<T> {
  const giveUp = new AbortController(), done = (): void => computing?.(null);
  computing?.(giveUp);
  try {
    return await f({ ...page, giveUp: giveUp.signal }, done);
  } catch (err) {
    const wrong = err instanceof Refusal && err.reason === "bad-credentials";
    throw wrong && known.provedBy !== "opaque" ? by.notSent(page) : err;
  } finally {
    done();
  }
}

const watching: (() => void)[] = [];

/** Has f called whenever the node has told what proves the account. */
export function onProvedBy(f: () => void): void {
  watching.push(f);
}

/** What a node has given when a provider had vouched for the player, of an account that nothing else proves. */
let vouched = "";
/** Whether the account may be one that the guest of this browser opens. */
let guestOpens = true;

/** Has the account be proved by that from now on. */
export function provedWith(proof: string): void {
  vouched = proof;
}

/** Returns what proves an account that has no password, if this browser has it: the guest that it is, or a proof. */
export function identityShown(): { guest_secret: string } | { identity_proof: string } | null {
  if (known.provedBy !== "identity") return null;
  if (vouched) return { identity_proof: vouched };
  const guest = guestOpens && knownGuest();
  return guest ? { guest_secret: guest } : null;
}

/** Takes note of a refusal of what was shown, so that the player is asked for something else. */
function notShown(err: unknown): void {
  const old = err instanceof Refusal && err.status === 409 && err.words.startsWith("The proof is too old");
  if (!old && !(err instanceof Refusal && err.reason === "bad-credentials")) return;
  if (!vouched) guestOpens = false;
  vouched = "";
  for (const told of watching) told();
}

/** Sends a request with what proves the account: with what was typed, or with a proof of it by OPAQUE. */
async function proving<T>(
  token: string, shown: Shown, send: (shown: object) => Promise<T>, field = "password",
): Promise<T> {
  const identity = identityShown();
  if (identity) {
    return send({ ...identity, ...(shown.code ? { code: shown.code } : {}) }).catch((err: unknown) => {
      notShown(err);
      throw err;
    });
  }
  const by = await prover(token), { password, computing, ...code } = shown;
  if (!by) return send({ [field]: password, ...code });
  return computed(by, computing, (page, done) => by.confirmed(token, { password, ...code }, page, (proof) => {
    done();
    return send({ ...proof, ...code });
  }));
}

export async function account(token: string): Promise<Account> {
  // The cookie tells the node which of the devices this is.
  const a = await call("account", { token, timeout: TIMEOUT, cookie: true });
  const { name, created_at: created, devices, delete_at: deleteAt, rename_at: renameAt } = a;
  if (typeof name !== "string" || !Array.isArray(devices)) throw new BadAnswer("account");
  if (known.name !== name) [vouched, guestOpens] = ["", true];
  known = { name, provedBy: String(a["proved_by"]) };
  for (const told of watching) told();
  return {
    name, created: time(created), devices: devices.map(remembered),
    deleteAt: deleteAt ? time(deleteAt) : 0, renameAt: renameAt ? time(renameAt) : 0, provedBy: known.provedBy,
  };
}

function remembered(d: Record<string, unknown>): Remembered {
  const { handle, label, used_at: used, expires_at: expires } = d;
  if (typeof handle !== "string" || typeof label !== "string") throw new BadAnswer("device");
  return { handle, label, used: time(used), expires: time(expires), this: d["this"] === true };
}

function time(v: unknown): number {
  const ms = typeof v === "string" ? Date.parse(v) : NaN;
  if (Number.isNaN(ms)) throw new BadAnswer("time");
  return ms;
}

/** A change of the password. */
export interface Change {
  current: string;
  /** Of the second factor, once the node has asked for one. */
  code?: string;
  new: string;
  /** What the device is called on which the player stays logged in. */
  remember?: string;
}

/**
 * Changes the password. Returns the session that the player goes on with, or null if there is none: log in again. The
 * cookie of the answer is for what is beside the path, as /v1/resume is.
 */
export async function changePassword(
  token: string, c: Change & Try, signal: AbortSignal, computing?: Computing,
): Promise<Session | null> {
  const { current, new: next } = c, passwords = { current, new: next }, { name } = known;
  const by = await prover(token);
  if (by) {
    const shown = { password: current, ...(c.code ? { code: c.code } : {}) };
    return computed(by, computing, (page, done) => by.replaced(token, name, shown, next, page, (p) => {
      done();
      return changed("opaque-register", token, c, p, signal);
    }));
  }
  const session = await changed("password", token, c, passwords, signal);
  // If it fails, the next login does it.
  if (session && hasOpaque()) (await opaque()).moveOver(session.token, name, next, page).catch(() => undefined);
  return session;
}

async function changed(
  path: string, token: string, { current: _, new: __, ...c }: Change & Try, passwords: object, signal: AbortSignal,
): Promise<Session | null> {
  const body = { ...c, ...passwords, ...(c.remember ? { remember_cookie: true } : {}) };
  const answer = await call(path, { method: "POST", token, body, signal, cookie: Boolean(c.remember) });
  return "session_token" in answer ? sessionIn(answer) : null;
}

/** Gives the account another name. Returns the session that the player goes on with, or null if there is none. */
export async function rename(token: string, name: string, shown: Shown): Promise<Session | null> {
  const by = await prover(token);
  const answer = await proving(token, shown, async (s) => {
    try {
      const answer = await call("account/name", { method: "POST", token, body: { name, ...s } });
      by?.noteMoved(name);
      return answer;
    } catch (err) {
      const refused = err instanceof Refusal && err.reason !== "internal-error";
      if (!refused) by?.noteMoved(name); // it may hold: the player is to try to log in with it
      throw err;
    }
  });
  return "session_token" in answer ? sessionIn(answer) : null;
}

export async function forgetDevice(token: string, handle: string): Promise<void> {
  await call(`account/devices/${encodeURIComponent(handle)}`, { method: "DELETE", token, timeout: TIMEOUT });
}

/** Ends every session and has every device forgotten. */
export async function logoutEverywhere(token: string): Promise<void> {
  await call("account/logout-everywhere", { method: "POST", token, timeout: TIMEOUT });
}

/** The e-mail addresses of an account; each may be empty. */
export interface Addresses {
  proved: string;
  /** To which a code was sent. */
  pending: string;
  /** Whether the server sends mail. */
  mail: boolean;
}

export async function addresses(token: string): Promise<Addresses> {
  const { email, pending, mail } = await call("account/email", { token, timeout: TIMEOUT });
  const text = (v: unknown): string => typeof v === "string" ? v : "";
  return { proved: text(email), pending: text(pending), mail: mail !== false };
}

/** Has a code sent to an address, which is good for so many ms. */
export async function setEmail(token: string, email: string, shown: Shown): Promise<number> {
  return validFor(await proving(token, shown,
    (s) => call("account/email", { method: "POST", token, body: { email, ...s } }), "current"));
}

const validFor = ({ code_valid_ms: ms }: Record<string, unknown>): number => typeof ms === "number" ? ms : 0;

export async function verifyEmail(token: string, code: string): Promise<void> {
  await call("account/email/verify", { method: "POST", token, body: { code }, timeout: TIMEOUT });
}

export async function removeEmail(token: string, shown: Shown): Promise<void> {
  await proving(token, shown, (body) => call("account/email", { method: "DELETE", token, body }));
}

/** When a code of the second factor is asked for. */
export type Ask = "new-devices" | "always";

export interface Factor {
  active: boolean;
  ask: Ask;
  /** How many recovery codes are left. */
  left: number;
}

export async function factor(token: string): Promise<Factor> {
  const { active, ask, recovery_codes: left } = await call("account/totp", { token, timeout: TIMEOUT });
  return { active: active === true, ask: ask === "always" ? ask : "new-devices", left: Number(left) || 0 };
}

/** What an authenticator is set up with. All of it is secret. */
export interface Setup {
  secret: string;
  uri: string;
  /** A picture of uri, a PNG in base64. */
  png: string;
}

export async function beginFactor(token: string, { code: _, ...shown }: Shown): Promise<Setup> {
  const { secret, uri, qr } = await proving(token, shown,
    (body) => call("account/totp", { method: "POST", token, body }));
  const png = /^data:image\/png;base64,([\w+/=]+)$/.exec(String(qr))?.[1];
  if (typeof secret !== "string" || typeof uri !== "string" || !uri.startsWith("otpauth://") || !png) {
    throw new BadAnswer("setup");
  }
  return { secret, uri, png };
}

/** Confirms the authenticator with one of its codes, and returns the recovery codes, which are secret. */
export const confirmFactor = async (token: string, code: string): Promise<string[]> =>
  recoveryCodes(await call("account/totp/confirm", { method: "POST", token, body: { code } }));

export const renewCodes = async (token: string, shown: Shown): Promise<string[]> =>
  recoveryCodes(await proving(token, shown,
    (body) => call("account/totp/recovery-codes", { method: "POST", token, body })));

function recoveryCodes({ recovery_codes: codes }: Record<string, unknown>): string[] {
  if (!Array.isArray(codes) || !codes.length) throw new BadAnswer("recovery codes");
  return codes.map(String);
}

export async function setAsk(token: string, shown: Shown, ask: Ask): Promise<void> {
  await proving(token, shown, (s) => call("account/totp/ask", { method: "POST", token, body: { ...s, ask } }));
}

export async function removeFactor(token: string, shown: Shown): Promise<void> {
  await proving(token, shown, (body) => call("account/totp", { method: "DELETE", token, body }));
}

/** Something that has happened to the account. */
export interface Happened {
  at: number;
  kind: string;
  byOperator: boolean;
  /** Where it came from; each may be empty. */
  address: string;
  device: string;
}

export async function history(token: string): Promise<Happened[]> {
  const { events } = await call("account/history", { token, timeout: TIMEOUT });
  if (!Array.isArray(events)) throw new BadAnswer("history");
  return events.map(({ at, kind, by_operator: byOperator, address = "", device = "" }: Record<string, unknown>) => ({
    at: time(at), kind: String(kind), byOperator: byOperator === true, address: String(address), device: String(device),
  }));
}

/** Returns all that is kept of the player, as the node has written it. */
export const exported = async (token: string): Promise<string> => (await answer("account/export", { token })).text;

/** Has the account deleted, and returns when that will be. The session ends. */
export async function deleteAccount(token: string, shown: Shown): Promise<number> {
  const { delete_at: at } = await proving(token, shown,
    (body) => call("account/delete", { method: "POST", token, body }));
  return time(at);
}

export async function keepAccount(token: string): Promise<void> {
  await call("account/keep", { method: "POST", token, timeout: TIMEOUT });
}

/** Has a code sent to whoever has an account of that name, if there is an address; it is good for so many ms. */
export const recover = async (username: string): Promise<number> =>
  validFor(await call("recover", { method: "POST", body: { username } }));

/** Gives an account another password, with a code that its player was sent. */
export async function finishRecovery(
  body: { username: string; code: string; password: string }, computing?: Computing,
): Promise<void> {
  if (!hasOpaque()) return void await call("recover/finish", { method: "POST", body });
  const by = await opaque(), { password, ...rest } = body;
  const upload = await computed(by, computing, (page) => by.recovering(body.username, password, page));
  await call("recover/finish", { method: "POST", body: { ...rest, ...upload } });
  by.noteMoved(body.username);
}

/** A passkey of the account. */
export interface Passkey {
  /** Tells it from the others. */
  handle: string;
  name: string;
  created: number;
  /** When it last let the player in; 0 if it has not. */
  used: number;
}

export async function passkeys(token: string): Promise<Passkey[]> {
  return passkeysIn(await call("account/passkeys", { token, timeout: 10_000 }));
}

/** Returns what the browser is to make a passkey by. */
export async function beginPasskey(token: string, shown: Shown): Promise<Record<string, unknown>> {
  const { options } = await proving(token, shown,
    (body) => call("account/passkeys/start", { method: "POST", token, body }));
  return options as Record<string, unknown>;
}

/** Adds a passkey, and returns those that there are then. */
export async function addPasskey(token: string, name: string, credential: object): Promise<Passkey[]> {
  return passkeysIn(await call("account/passkeys/finish", { method: "POST", token, body: { name, credential } }));
}

/** Removes a passkey, and returns the session that the player goes on with, or null if there is none. */
export async function removePasskey(token: string, handle: string, shown: Shown): Promise<Session | null> {
  const path = `account/passkeys/${encodeURIComponent(handle)}`;
  const answer = await proving(token, shown, (body) => call(path, { method: "DELETE", token, body }));
  return "session_token" in answer ? sessionIn(answer) : null;
}

function passkeysIn({ passkeys: all }: Record<string, unknown>): Passkey[] {
  if (!Array.isArray(all)) throw new BadAnswer("passkeys");
  return all.map(({ handle, name, created_at: created, used_at: used }: Record<string, unknown>) => {
    if (typeof handle !== "string" || typeof name !== "string") throw new BadAnswer("passkey");
    return { handle, name, created: time(created), used: used === undefined ? 0 : time(used) };
  });
}

/** An identity that opens the account. */
export interface Identity {
  /** Tells it from the others. */
  handle: string;
  /** A browser or another device that plays as a guest. */
  guest: boolean;
  /** The provider, as it calls itself; empty of a guest. */
  issuer: string;
}

export async function identities(token: string): Promise<Identity[]> {
  const all = identitiesIn(await call("account/identities", { token, timeout: TIMEOUT }));
  if (guestOpens && !all.some((i) => i.guest)) { // of which there may be another in this browser
    guestOpens = false;
    for (const told of watching) told();
  }
  return all;
}

/** Links what is shown in fields of the request to the account. */
export const linkIdentity = async (token: string, more: object, shown: Shown): Promise<Identity[]> =>
  identitiesIn(await proving(token, shown,
    (body) => call("account/identities", { method: "POST", token, body: { ...body, ...more } })));

/** Returns the session that the player goes on with, or null if there is none. */
export async function unlinkIdentity(token: string, handle: string, shown: Shown): Promise<Session | null> {
  const path = `account/identities/${encodeURIComponent(handle)}`;
  const answer = await proving(token, shown, (body) => call(path, { method: "DELETE", token, body }));
  return "session_token" in answer ? sessionIn(answer) : null;
}

/** Gives an account that an identity proves a password and a name, and returns the session that the player goes on with. */
export async function upgrade(token: string, name: string, password: string): Promise<Session | null> {
  const answer = await proving(token, { password: "" },
    (body) => call("account/upgrade", { method: "POST", token, body: { ...body, new_password: password, name } }));
  vouched = "";
  return "session_token" in answer ? sessionIn(answer) : null;
}

/** Makes a guest part of the account. The session goes on unless the guest's character is kept. */
export async function mergeGuest(
  token: string, secret: string, keep: "guest" | "own", shown: Shown,
): Promise<Session | null> {
  const answer = await proving(token, shown,
    (body) => call("account/merge", { method: "POST", token, body: { ...body, merge_guest_secret: secret, keep } }));
  return "session_token" in answer ? sessionIn(answer) : null;
}

function identitiesIn({ identities: all }: Record<string, unknown>): Identity[] {
  if (!Array.isArray(all)) throw new BadAnswer("identities");
  return all.map(({ handle, guest, issuer }: Record<string, unknown>) => {
    if (typeof handle !== "string") throw new BadAnswer("identity");
    return { handle, guest: guest === true, issuer: typeof issuer === "string" ? issuer : "" };
  });
}
