// The calls about the account: docs/accounts.md and internal/api/openapi.yaml.

import { BadAnswer, call, sessionIn, type Session, type Try } from "../api.ts";

/** What a node tells of the account. Times are in ms since 1970. */
export interface Account {
  name: string;
  created: number;
  devices: Remembered[];
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

export async function account(token: string): Promise<Account> {
  // The cookie tells the node which of the devices this is.
  const { name, created_at: created, devices } = await call("account", { token, timeout: 10_000, cookie: true });
  if (typeof name !== "string" || !Array.isArray(devices)) throw new BadAnswer("account");
  return { name, created: time(created), devices: devices.map(remembered) };
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
  new: string;
  /** What the device is called on which the player stays logged in. */
  remember?: string;
}

/**
 * Changes the password. Returns the session that the player goes on with, or null if there is none: log in again. The
 * cookie of the answer is for what is beside the path, as /v1/resume is.
 */
export async function changePassword(token: string, c: Change & Try, signal: AbortSignal): Promise<Session | null> {
  const body = c.remember ? { ...c, remember_cookie: true } : c;
  const answer = await call("password", { method: "POST", token, body, signal, cookie: Boolean(c.remember) });
  return "session_token" in answer ? sessionIn(answer) : null;
}

export async function forgetDevice(token: string, handle: string): Promise<void> {
  await call(`account/devices/${encodeURIComponent(handle)}`, { method: "DELETE", token, timeout: 10_000 });
}

/** Ends every session and has every device forgotten. */
export async function logoutEverywhere(token: string): Promise<void> {
  await call("account/logout-everywhere", { method: "POST", token, timeout: 10_000 });
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

/** What a player shows for changes of what proves the account. */
export interface Proof {
  password: string;
  /** Of the second factor, once the node has asked for it. */
  code?: string;
}

export async function passkeys(token: string): Promise<Passkey[]> {
  return passkeysIn(await call("account/passkeys", { token, timeout: 10_000 }));
}

/** Returns what the browser is to make a passkey by. */
export async function beginPasskey(token: string, p: Proof): Promise<Record<string, unknown>> {
  return (await call("account/passkeys/start", { method: "POST", token, body: p }))["options"] as Record<string, unknown>;
}

/** Adds a passkey, and returns those that there are then. */
export async function addPasskey(token: string, name: string, credential: object): Promise<Passkey[]> {
  return passkeysIn(await call("account/passkeys/finish", { method: "POST", token, body: { name, credential } }));
}

export async function removePasskey(token: string, handle: string, p: Proof): Promise<void> {
  await call(`account/passkeys/${encodeURIComponent(handle)}`, { method: "DELETE", token, body: p });
}

function passkeysIn({ passkeys: all }: Record<string, unknown>): Passkey[] {
  if (!Array.isArray(all)) throw new BadAnswer("passkeys");
  return all.map(({ handle, name, created_at: created, used_at: used }: Record<string, unknown>) => {
    if (typeof handle !== "string" || typeof name !== "string") throw new BadAnswer("passkey");
    return { handle, name, created: time(created), used: used === undefined ? 0 : time(used) };
  });
}
