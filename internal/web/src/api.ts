// The HTTP interface, see internal/api/openapi.yaml.

import { isCount, parseDocument, type LineDocument } from "./line.ts";
import { deviceID } from "./stored.ts";
import { parseWork, type Work } from "./work.ts";

/** What a node gives to a player who is let in. The token is a secret. */
export interface Session {
  token: string;
  playerID: number;
  /** Whether there is a token in the browser's cookie, which the page cannot see. */
  remembered: boolean;
  /** When the account is to be deleted, in ms since 1970; not there if it is not. */
  deleteAt?: number;
  /** Of a login by OPAQUE: tells whether it is the server that knows the account. */
  proof?: string;
}

export interface Me {
  name: string;
  zone: string;
}

/** What becomes of a ticket that a node does not honour. */
export type Lost = "" | "expired" | "used" | "unknown";

/** Where a node says that a refused client stands in the line. */
export interface Told {
  /** How many are called up to and including this client, about. */
  place: number;
  /** The interval in which it will be let in, in ms from now. */
  low: number;
  high: number;
  /** When to ask again, in ms from now. */
  pollAfter: number;
  /** By the line's clock, in ms since 1970. */
  turn: number;
  /** A new ticket; empty if the one that there is stays good. A secret. */
  ticket: string;
  /** Why there is a new ticket in place of the one that was sent. */
  lost: Lost;
}

/** What a node says of doors that are not open to everybody. */
export interface Shut {
  /** closed, staff, allowlist, or another that is to come. */
  mode: string;
  /** What the operator says, perhaps empty. */
  message: string;
  /** When the operator means to open, in ms since 1970; 0 if that is not said. */
  opensAt: number;
}

/** A node's no. */
export class Refusal extends Error {
  constructor(
    readonly reason: string,
    /** Words of the server for people, perhaps empty. */
    readonly words = "",
    /** How long to wait before asking again, in ms; 0 if the server did not say. */
    readonly retryAfter = 0,
    /** With wrong-zone: host:port of the node to log in to; else empty. */
    readonly address = "",
    /** The status of HTTP, if the node itself has spoken. */
    readonly status = 0,
    /** With server-busy: the place in the line, if there is one. */
    readonly told: Told | null = null,
    /** With server-busy: the work that a place costs, if it does. */
    readonly work: Work | null = null,
    /** With server-busy: the operator lets in nobody, or only some. */
    readonly shut: Shut | null = null,
    /** With account-disabled: the page at which the player can say that this is wrong; else empty. */
    readonly appeal = "",
  ) {
    super(reason);
  }
}

/** No whole answer came. The server may have acted on the request all the same. */
export class NoAnswer extends Error {}
/** The answer is not one of a Rushgate node. */
export class BadAnswer extends Error {}

/** One try of whatever opens a session. Every try of one attempt has the same attempt_id. */
export interface Try {
  attempt_id: string;
  takeover?: true;
  /** Of this wait alone: who has a ticket without it has nothing. */
  line_secret?: string;
  ticket?: string;
  /** The proof of work that the node has asked for. */
  line_work?: string;
}

/** A try of a registration or login. */
export interface Credentials extends Try {
  username: string;
  password: string;
  /** Of the account's second factor, once the node has asked for one. A secret. */
  code?: string;
  /** What the device is called on which the player wants to stay logged in. */
  remember?: string;
}

const TRY_TIMEOUT = 30_000; // the server answers within 29 s
const MAX_RETRY_AFTER = 24 * 3600_000;
const MAX_WORDS = 256;
const MIN_POLL = 1_000;

// Beside the page's folder, so that it does not matter below which path a proxy has put both.
export const base = (): URL => new URL("../v1/", document.baseURI);

/** Returns the address of the realtime channel. */
export function channelURL(): string {
  const url = new URL("channel", base());
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** A try of a login by what is shown in place of a name, which is beside the rest. */
export interface ShownTry extends Try {
  code?: string;
  remember?: string;
}

export async function enter(
  kind: "login" | "register" | "opaque-login" | "opaque-register" | "passkey" | "guest" | "identity",
  c: Credentials | ShownTry,
  signal: AbortSignal,
): Promise<Session> {
  const body = c.remember ? { ...c, remember_cookie: true } : c;
  return sessionIn(await fromDevice(kind, { method: "POST", body, signal, cookie: Boolean(c.remember) }));
}

/** Makes a call that says which device it comes from, unless the node is older than that. */
async function fromDevice(path: string, c: Call): Promise<Record<string, unknown>> {
  const id = deviceID();
  if (!id) return call(path, c);
  try {
    return await call(path, { ...c, body: { ...c.body, device_id: id } });
  } catch (err) {
    if (!(err instanceof Refusal) || err.reason !== "missing-credentials") throw err;
    if (!err.words.startsWith("The body has a field other than ") || err.words.includes("device_id")) throw err;
    return call(path, c);
  }
}

/** Opens a session with the token in the browser's cookie, which the answer replaces. */
export async function resume(t: Try, signal: AbortSignal): Promise<Session> {
  const body = { ...t, remember_cookie: true };
  return sessionIn(await fromDevice("resume", { method: "POST", body, signal, cookie: true }));
}

/** Returns the session that an answer brings. */
export function sessionIn(body: Record<string, unknown>): Session {
  const { session_token: token, player_id: playerID, remembered, delete_at: deleted, session_proof: proof } = body;
  if (typeof token !== "string" || !token || typeof playerID !== "number") throw new BadAnswer("session");
  const deleteAt = Date.parse(String(deleted));
  return {
    token, playerID, remembered: remembered === true, ...(deleteAt ? { deleteAt } : {}),
    ...(proof ? { proof: String(proof) } : {}),
  };
}

export async function logout(token: string): Promise<void> {
  await call("logout", { method: "POST", token, timeout: 10_000 });
}

/** Has a session go on at this node, wherever it is. */
export async function moveHere(token: string): Promise<void> {
  await call("resume", { method: "POST", body: { session_token: token, takeover: true } });
}

/** Has the server forget the browser's device, whose token is in the cookie, and end a session, if one is given. */
export async function forgetDevice(token: string): Promise<void> {
  await call("resume", { method: "DELETE", token, timeout: 10_000, cookie: true });
}

export async function me(token: string): Promise<Me> {
  const { name, zone } = await call("me", { token, timeout: 5_000 });
  return { name: String(name), zone: String(zone) };
}

/** Returns what a node says of its doors; null: they are open to everybody. */
export async function doors(): Promise<Shut | null> {
  return shutIn(await call("status", { timeout: 5_000 }));
}

/** Returns what is said of doors that are not open to everybody, or null. */
function shutIn(body: Record<string, unknown>): Shut | null {
  const { mode, message, opens_at: opens } = body;
  if (typeof mode !== "string" || !/^[a-z0-9-]{1,64}$/.test(mode) || mode === "open") return null;
  return { mode, message: words(message), opensAt: Date.parse(text(opens)) || 0 };
}

/** Returns the URL of a page for appeals, or an empty string for what is none. */
function appealURL(given: unknown): string {
  try {
    if (text(given).length > MAX_WORDS) return "";
    const url = new URL(text(given));
    return url.protocol === "https:" && !url.username ? url.href : "";
  } catch {
    return "";
  }
}

/** Returns what everybody in the line is told alike. */
export async function lineDocument(signal: AbortSignal): Promise<LineDocument> {
  // The browser's cache may answer, as any other on the way: the document says itself for how long it is good.
  const document = parseDocument(await call("line", { signal, timeout: 10_000, cache: "default" }));
  if (!document) throw new BadAnswer("line");
  return document;
}

/** Reports whether the node says that pages of this origin may not open the realtime channel. */
export async function refusesPage(): Promise<boolean> {
  try {
    // With this method browsers send the page's origin to the page's own host, too.
    await call("channel", { method: "OPTIONS", timeout: 5_000 });
  } catch (err) {
    return err instanceof Refusal && err.status === 403;
  }
  return false;
}

/** What goes with a request. */
export interface Call {
  method?: string;
  body?: object;
  token?: string;
  timeout?: number;
  signal?: AbortSignal;
  cache?: RequestCache;
  /** The cookie of a device goes with the call, or comes with its answer. */
  cookie?: boolean;
}

/** Asks the node for something below /v1/, and returns what it answers: {} for an answer that is empty. */
export async function call(path: string, c: Call): Promise<Record<string, unknown>> {
  const { text, status } = await answer(path, c), body = parseObject(text);
  if (!body && status !== 204) throw new BadAnswer("no JSON");
  return body ?? {};
}

/** Asks the node for something below /v1/, and returns what a success says, to the letter. */
export async function answer(path: string, c: Call): Promise<{ text: string; status: number }> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (c.body) headers["Content-Type"] = "application/json";
  if (c.token) headers["Authorization"] = "Bearer " + c.token;
  const timeout = AbortSignal.timeout(c.timeout ?? TRY_TIMEOUT);
  let response: Response;
  let text: string;
  try {
    response = await fetch(new URL(path, base()), {
      method: c.method ?? "GET",
      body: c.body ? JSON.stringify(c.body) : null,
      headers,
      cache: c.cache ?? "no-store",
      credentials: c.cookie ? "same-origin" : "omit",
      redirect: "manual", // it would carry the password away
      signal: c.signal ? AbortSignal.any([c.signal, timeout]) : timeout,
    });
    text = await response.text();
  } catch {
    c.signal?.throwIfAborted();
    throw new NoAnswer();
  }
  if (response.ok) return { text, status: response.status };
  throw refusal(response.status, response.headers.get("Retry-After"), parseObject(text));
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const v: unknown = JSON.parse(text);
    return typeof v === "object" && v !== null ? (v as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Returns the error that an answer other than a success stands for. */
export function refusal(status: number, retryAfter: string | null, body: Record<string, unknown> | null): Error {
  const { reason, message, address, appeal_url: appeal, retry_after_ms: ms } = body ?? {};
  const wait = pause(ms, retryAfter);
  if (status >= 400 && body && typeof reason === "string" && /^[a-z0-9-]{1,64}$/.test(reason)) {
    const busy = reason === "server-busy";
    return new Refusal(
      reason, words(message), wait, reason === "wrong-zone" ? text(address) : "", status, busy ? placeTold(body) : null,
      busy ? parseWork(body) : null, busy ? shutIn(body) : null,
      reason === "account-disabled" ? appealURL(appeal) : "");
  }
  if (status === 502) return new NoAnswer();
  const meant = PROXY[status];
  return meant ? new Refusal(meant, "", wait) : new BadAnswer(`HTTP status ${status}`);
}

/** The reason that a status stands for where a proxy speaks. */
const PROXY: Record<number, string> = { 503: "server-busy", 429: "rate-limited", 504: "request-expired" };

const text = (v: unknown): string => typeof v === "string" ? v : "";
const words = (v: unknown): string => text(v).slice(0, MAX_WORDS);

/** Returns where a refusal says that the client stands, or null if it does not. */
function placeTold(body: Record<string, unknown>): Told | null {
  const { place, eta_low_ms: low, eta_high_ms: high, poll_after_ms: pollAfter, turn_ms: turn } = body;
  if (!isCount(place) || !isCount(low) || !isCount(high) || !isCount(pollAfter) || !isCount(turn)) return null;
  const { ticket, place_lost: lost } = body;
  return {
    place: Math.max(place, 1), low: Math.min(low, high), high: Math.max(low, high), turn,
    pollAfter: Math.min(Math.max(pollAfter, MIN_POLL), MAX_RETRY_AFTER),
    ticket: /^[\w-]{1,128}$/.exec(text(ticket))?.[0] ?? "",
    lost: lost === "expired" || lost === "used" ? lost : text(lost) && "unknown",
  };
}

/** Returns for how long to stay away, in ms; the body is more precise than the header's whole seconds. */
function pause(ms: unknown, header: string | null): number {
  if (typeof ms === "number" && ms > 0) return Math.min(ms, MAX_RETRY_AFTER);
  const seconds = header === null ? NaN : Number(header);
  const left = Number.isNaN(seconds) && header !== null ? Date.parse(header) - Date.now() : seconds * 1000;
  return left > 0 ? Math.min(left, MAX_RETRY_AFTER) : 0;
}
