// For which names this browser has proved the password by OPAQUE. It never sends the password for these again, so that
// nobody who stands between it and the server can have it do so. The names themselves are not kept.

import { base } from "../api.ts";
import { sha256 } from "../work.ts";

const MOST = 64;
// There may be other nodes below other paths of the origin.
const key = (): string => `rushgate.opaque ${base().pathname}`;

export function hasMoved(name: string): boolean {
  return all().includes(digest(name));
}

export function noteMoved(name: string): void {
  const d = digest(name), others = all().filter((o) => o !== d);
  try {
    localStorage.setItem(key(), JSON.stringify([d, ...others].slice(0, MOST)));
  } catch {
    // Without storage it is not known the next time.
  }
}

function all(): string[] {
  try {
    const v: unknown = JSON.parse(localStorage.getItem(key()) ?? "[]");
    return Array.isArray(v) ? v.filter((d) => typeof d === "string") : [];
  } catch {
    return [];
  }
}

const digest = (name: string): string =>
  sha256(new TextEncoder().encode(name.normalize("NFKC").toLowerCase())).subarray(0, 2).join();
