// Providers, at which players have accounts: docs/identities.md. A visit leaves the page, and comes back by way of
// /play/back/, which leaves here what the node has said.

import type { Call } from "./api.ts";

type Ask = (path: string, c: Call) => Promise<Record<string, unknown>>;

const PROOF = "rushgate.identity";
/** That the player is away to have an identity linked, and not to come in. */
const LINKING = "rushgate.linking";

export interface Provider {
  name: string;
  label: string;
}

/** What a node has given for what a provider has said. */
export interface Returned {
  provider: string;
  proof: string;
}

/** How those are written that the node knows by itself; any other is as its name, with a capital. */
const LABELS: Record<string, string> = { openid: "OpenID" };

/** Returns the providers that browsers may go to. */
export async function providers(ask: Ask): Promise<Provider[]> {
  const all = (await ask("identities", { timeout: 2_000 }))["providers"];
  return (Array.isArray(all) ? all as Record<string, unknown>[] : []).flatMap(({ name, browser }) => {
    if (typeof name !== "string" || !/^[a-z][a-z0-9-]{0,31}$/.test(name) || browser !== true) return [];
    return [{ name, label: label(name) }];
  });
}

export const label = (name: string): string => LABELS[name] ?? name.charAt(0).toUpperCase() + name.slice(1);

/** Leaves the page for a provider. */
export async function visit(ask: Ask, name: string, linking = false): Promise<void> {
  const { url } = await ask(`identities/${name}/begin`, { method: "POST", cookie: true });
  const to = new URL(String(url));
  if (to.protocol !== "https:" && to.hostname !== "127.0.0.1" && to.hostname !== "localhost") throw new Error("no page");
  sessionStorage.removeItem(PROOF);
  if (linking) sessionStorage.setItem(LINKING, "1");
  else sessionStorage.removeItem(LINKING);
  location.assign(to);
}

/** Reports whether the player is back from a visit to have an identity linked. */
export const wantsLink = (): boolean => kept(LINKING) !== "";

/** Returns what a visit has brought, once; null if there was none, or it is too long ago. */
export function returned(): Returned | null {
  const text = kept(PROOF);
  try {
    sessionStorage.removeItem(PROOF);
    sessionStorage.removeItem(LINKING);
  } catch {
    return null;
  }
  try {
    const { provider, proof, expires_at: expires } = JSON.parse(text) as Record<string, unknown>;
    if (typeof proof !== "string" || typeof provider !== "string" || !(Date.parse(String(expires)) > Date.now())) return null;
    return { provider, proof };
  } catch {
    return null;
  }
}

function kept(key: string): string {
  try {
    return sessionStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}
