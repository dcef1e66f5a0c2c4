// The work that a node asks for before it gives out places, while its line is being filled on purpose. Package
// internal/line has the same in Go, as FindWork; internal/line/testdata/work.json holds both together. The browser's own
// SHA-256 (crypto.subtle) is missing on plain HTTP, and asynchronous: too slow for a million small texts.

/** What a node asks for: a nonce for which a hash begins with so many zero bits. */
export interface Work {
  bits: number;
  /** 8 bytes in hexadecimal. */
  salt: string;
}

/** More than any node asks for. */
const MAX_BITS = 26;
/** The page is held up for no longer at a stretch, in ms. */
const STRETCH = 12;
const TRIES = 512; // between two looks at the clock
/** A salt is good for at least so long, in ms. */
const GOOD = 60_000;

/** Returns the work that a JSON object asks for, or null if it asks for none that can be. */
export function parseWork(body: Record<string, unknown>): Work | null {
  const { work_bits: bits, work_salt: salt } = body;
  if (typeof bits !== "number" || !Number.isInteger(bits) || bits < 1 || bits > MAX_BITS) return null;
  return typeof salt === "string" && /^[0-9A-Fa-f]{16}$/.test(salt) ? { bits, salt } : null;
}

/**
 * Returns the proof for who has a secret, or "" if none was found while the salt was surely good. The page stays alive,
 * and the search is as fast in a tab that is not seen.
 */
export async function findWork(w: Work, secret: string, signal: AbortSignal): Promise<string> {
  const search = new Search(w, secret, ...crypto.getRandomValues(new Uint32Array(2)));
  const end = performance.now() + GOOD;
  const pause = new MessageChannel(); // timers are slowed down in a tab that is not seen
  try {
    for (let now = performance.now(); now < end; now = performance.now()) {
      do {
        const found = search.next(TRIES);
        if (found) return found;
      } while (performance.now() < now + STRETCH);
      await new Promise((resolve) => {
        pause.port1.onmessage = resolve;
        pause.port2.postMessage(null);
      });
      signal.throwIfAborted();
    }
    return "";
  } finally {
    pause.port1.close();
  }
}

/** A search for a proof, from a nonce on that is given as its two halves. */
export class Search {
  private readonly block = new Int32Array(16); // salt, holder, nonce, and what pads 32 bytes
  private readonly state = new Int32Array(8);
  private readonly bits: number;

  constructor(w: Work, secret: string, high = 0, low = 0) {
    this.bits = w.bits;
    this.block[0] = parseInt(w.salt.slice(0, 8), 16);
    this.block[1] = parseInt(w.salt.slice(8), 16);
    this.block.set(sha256(new TextEncoder().encode(secret)).subarray(0, 4), 2);
    this.block[6] = high;
    this.block[7] = low;
    this.block[8] = 1 << 31;
    this.block[15] = 256;
  }

  /** Returns the first proof of so many nonces, or "". */
  next(tries: number): string {
    const { block, state, bits } = this;
    for (let i = 0; i < tries; i++) {
      state.set(INITIAL);
      compress(state, block);
      if (Math.clz32(state[0]!) >= bits) return hex(block[6]!) + hex(block[7]!);
      if (++block[7]! === 0) block[6]!++;
    }
    return "";
  }
}

const hex = (n: number): string => (n >>> 0).toString(16).padStart(8, "0");

/** The first 32 bits of the fractional parts of the roots, square or cube, of the first primes; see FIPS 180-4. */
function roots(n: number, degree: number): Int32Array {
  const all = new Int32Array(n);
  for (let i = 0, p = 2; i < n; p++) {
    let prime = true;
    for (let q = 2; q * q <= p; q++) prime &&= p % q !== 0;
    if (prime) all[i++] = ((p ** (1 / degree)) % 1) * 2 ** 32;
  }
  return all;
}

const INITIAL = roots(8, 2);
const K = roots(64, 3);
const W = new Int32Array(64);

/** Takes a block of 16 words into the state of a SHA-256. */
function compress(state: Int32Array, block: Int32Array): void {
  for (let i = 0; i < 16; i++) W[i] = block[i]!;
  for (let i = 16; i < 64; i++) {
    const x = W[i - 15]!, y = W[i - 2]!;
    const s0 = (x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3;
    const s1 = (y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10;
    W[i] = W[i - 16]! + s0 + W[i - 7]! + s1;
  }
  let a = state[0]!, b = state[1]!, c = state[2]!, d = state[3]!;
  let e = state[4]!, f = state[5]!, g = state[6]!, h = state[7]!;
  for (let i = 0; i < 64; i++) {
    const s1 = (e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7);
    const t1 = (h + s1 + (g ^ e & (f ^ g)) + K[i]! + W[i]!) | 0;
    const s0 = (a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10);
    const t2 = (s0 + (a & b | c & (a | b))) | 0;
    h = g, g = f, f = e, e = (d + t1) | 0, d = c, c = b, b = a, a = (t1 + t2) | 0;
  }
  state[0]! += a, state[1]! += b, state[2]! += c, state[3]! += d;
  state[4]! += e, state[5]! += f, state[6]! += g, state[7]! += h;
}

/** Returns the SHA-256 of some bytes, as words. */
export function sha256(bytes: Uint8Array): Int32Array {
  const padded = new DataView(new ArrayBuffer(Math.ceil((bytes.length + 9) / 64) * 64));
  new Uint8Array(padded.buffer).set(bytes);
  padded.setUint8(bytes.length, 0x80);
  padded.setUint32(padded.byteLength - 4, bytes.length * 8);
  const state = INITIAL.slice(), block = new Int32Array(16);
  for (let at = 0; at < padded.byteLength; at += 64) {
    for (let i = 0; i < 16; i++) block[i] = padded.getInt32(at + 4 * i);
    compress(state, block);
  }
  return state;
}
