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
