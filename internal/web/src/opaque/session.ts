// How a client knows that a session comes from the server with which it shares a key.

import { bytes, text } from "../passkey.ts";
import { sha256 } from "../work.ts";

/** Returns the session_proof that goes with a token, under a key of 64 bytes in base64url: an HMAC-SHA256. */
export function proofOf(token: string, key: string): string {
  const padded = (pad: number, more: Uint8Array): Uint8Array => {
    const k = bytes(key).map((b) => b ^ pad), all = new Uint8Array(k.length + more.length);
    all.set(k);
    all.set(more, k.length);
    return all;
  };
  const inner = digest(padded(0x36, new TextEncoder().encode("rushgate session\0" + token)));
  return text(digest(padded(0x5c, inner)).buffer);
}

function digest(b: Uint8Array): Uint8Array<ArrayBuffer> {
  const v = new DataView(new ArrayBuffer(32));
  sha256(b).forEach((word, i) => v.setInt32(4 * i, word));
  return new Uint8Array(v.buffer);
}
