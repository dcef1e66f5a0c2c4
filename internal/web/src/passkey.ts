// Passkeys, as the browser has them (WebAuthn). The page loads this file on its own.

import type { Call } from "./api.ts";
import type { By } from "./door.ts";

type Options = Record<string, unknown>;

type Ask = (path: string, c: Call) => Promise<Record<string, unknown>>;

/** Returns the way in with a passkey. ask asks the node. */
export const by = (ask: Ask): By => ({
  path: "passkey", text: "Waiting for your passkey…",
  wrong: "This passkey is not good here any more. Please log in with your password.",
  show: async (signal) => {
    const credential = await choose(ask, signal);
    return credential && { credential };
  },
});

/**
 * Has the player choose a passkey, and returns what a node is to be shown, or null if the player does not want to.
 * ask asks the node for what the browser has to be given.
 */
export async function choose(ask: Ask, signal: AbortSignal): Promise<object | null> {
  const o = (await ask("passkey/start", { method: "POST", signal }))["options"] as Options;
  const publicKey = { ...o, challenge: bytes(o["challenge"]) } as PublicKeyCredentialRequestOptions;
  return unlessCancelled(async () => {
    const c = await navigator.credentials.get({ publicKey, signal }) as PublicKeyCredential;
    const r = c.response as AuthenticatorAssertionResponse;
    return answer(c, {
      clientDataJSON: text(r.clientDataJSON), authenticatorData: text(r.authenticatorData), signature: text(r.signature),
      userHandle: r.userHandle && text(r.userHandle),
    });
  });
}

/** Has the browser make a passkey, and returns what a node is to be told, or null if the player does not want to. */
export async function make(o: Options, signal: AbortSignal): Promise<object | null> {
  const user = o["user"] as Options;
  const known = (o["excludeCredentials"] ?? []) as Options[];
  const publicKey = {
    ...o, challenge: bytes(o["challenge"]), user: { ...user, id: bytes(user["id"]) },
    excludeCredentials: known.map((k) => ({ ...k, id: bytes(k["id"]) })),
  } as unknown as PublicKeyCredentialCreationOptions;
  return unlessCancelled(async () => {
    const c = await navigator.credentials.create({ publicKey, signal }) as PublicKeyCredential;
    const r = c.response as AuthenticatorAttestationResponse;
    return answer(c, { clientDataJSON: text(r.clientDataJSON), attestationObject: text(r.attestationObject) });
  });
}

/** What browsers return as toJSON, which those of some years ago have not. */
function answer(c: PublicKeyCredential, response: object): object {
  return { id: c.id, rawId: text(c.rawId), type: c.type, response, clientExtensionResults: {} };
}

async function unlessCancelled(f: () => Promise<object>): Promise<object | null> {
  try {
    return await f();
  } catch (err) {
    // Browsers do not say whether the player has closed the question, or there is no passkey.
    if (err instanceof DOMException && (err.name === "NotAllowedError" || err.name === "AbortError")) return null;
    throw err;
  }
}

/** Returns the bytes that base64url stands for. */
export function bytes(s: unknown): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(String(s).replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
}

/** Returns bytes in base64url. */
export function text(b: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(b))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
