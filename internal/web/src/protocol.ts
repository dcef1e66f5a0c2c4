// The messages of docs/protocol.md, version 1: intents are written, snapshots are read, and what the game says is both.

export const VERSION = 1;
/** Ticks in a second. */
export const TICK_RATE = 60;
/** Steps of a position on the wire in one unit. */
export const SCALE = 64;
/** The greatest length of a message in bytes. */
export const MAX_MESSAGE = 1200;

const MAX_ENTITIES = 255;
const MAX_BASE = 64;
const MAX_NAME = 64;
const MAX_POSITION = 2 ** 30;
const KIND_INTENT = 1;
const KIND_SNAPSHOT = 2;
/** Kinds of messages of which the game's messages are a part. */
export const KIND_UNRELIABLE = 3;
export const KIND_RELIABLE = 4;
/** The greatest length of a message of the game in bytes. */
export const MAX_GAME_MESSAGE = 1024;
const MOVE_SCALE = 32767;

/** What is known of an entity. Positions are in 1/SCALE unit. */
export interface Entity {
  id: bigint;
  kind: number;
  flags: number;
  level: number;
  x: number;
  y: number;
  hp: number;
  maxHP: number;
  name: string;
}

/** The player's own state. Positions are in 1/SCALE unit. */
export interface Own {
  zone: number;
  x: number;
  y: number;
  hp: number;
  maxHP: number;
  level: number;
  xp: bigint;
  deaths: number;
  flags: number;
}

export interface Snapshot {
  tick: number;
  /** The number of the newest intent that the world had, 0 for none. */
  intent: number;
  own: Own;
  /** The others in sight, nearest first. */
  entities: readonly Readonly<Entity>[];
}

export interface Intent {
  seq: number;
  ack: number;
  /** Direction; its length is the share of the full speed. */
  moveX: number;
  moveY: number;
  action: number;
  target: bigint;
}

/** What a message of KIND_RELIABLE says. Numbers of game messages count from 1. */
export interface Reliable {
  /** The ids of both ends of the conversation, never 0 and 0 if it is not known. */
  from: number;
  to: number;
  /** The newest game message that was handed over, 0 for none. */
  ack: number;
  /** The number of the first game message in this, or of the next one. */
  first: number;
  /** What comes before the first, and has not arrived, never will. */
  lost: boolean;
  messages: readonly Uint8Array[];
}

/** Refuses a message as a whole. */
export class Malformed extends Error {}
/** Refuses a message of another version of the protocol: this page is older or newer than the node. */
export class UnknownVersion extends Malformed {}

/** Reports whether tick or sequence number a comes after b (RFC 1982). */
export const newer = (a: number, b: number): boolean => ((a - b) | 0) > 0;

/** Returns the sequence number after n, which is never 0. */
export const following = (n: number): number => (n + 1) >>> 0 || 1;

export function encodeIntent(intent: Intent): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(25);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, VERSION);
  view.setUint8(1, KIND_INTENT);
  view.setUint32(2, intent.seq, true);
  view.setUint32(6, intent.ack, true);
  view.setInt16(10, moveOnWire(intent.moveX), true);
  view.setInt16(12, moveOnWire(intent.moveY), true);
  view.setUint8(14, intent.action);
  let n = 15;
  let rest = BigInt.asUintN(64, intent.target);
  for (; rest > 127n; rest >>= 7n) bytes[n++] = Number(rest & 127n) | 128;
  bytes[n++] = Number(rest);
  return bytes.slice(0, n);
}

/** Returns the kind of a message, or 0 if it is of another version or has none. */
export function kindOf(message: ArrayBuffer): number {
  const [version = 0, kind = 0] = new Uint8Array(message.slice(0, 2));
  return version === VERSION ? kind : 0;
}

export function decodeUnreliable(message: ArrayBuffer): Uint8Array[] {
  const r = new Reader(message);
  r.header(KIND_UNRELIABLE);
  const messages = r.messages(Number.MAX_SAFE_INTEGER);
  check(messages.length > 0, "no game message");
  return messages;
}

export function decodeReliable(message: ArrayBuffer): Reliable {
  const r = new Reader(message);
  r.header(KIND_RELIABLE);
  const flags = r.u8();
  check(flags <= 1, "unknown flags");
  const from = r.u32();
  const to = r.u32();
  check(from !== 0, "from nobody");
  const ack = r.uvarint(to ? Number.MAX_SAFE_INTEGER : 0);
  const first = r.uvarint(Number.MAX_SAFE_INTEGER);
  check(first !== 0, "first 0");
  const messages = r.messages(Number.MAX_SAFE_INTEGER - first + 1);
  return { from, to, ack, first, lost: flags === 1, messages };
}

/** Writes game messages, which have to fit into one message: see fits. */
export function encodeUnreliable(messages: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return join([Uint8Array.of(VERSION, KIND_UNRELIABLE), ...messages.flatMap(withLength)]);
}

export function encodeReliable(r: Reliable): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(11);
  const view = new DataView(head.buffer);
  head.set([VERSION, KIND_RELIABLE, r.lost ? 1 : 0]);
  view.setUint32(3, r.from, true);
  view.setUint32(7, r.to, true);
  return join([head, uvarint(r.ack), uvarint(r.first), ...r.messages.flatMap(withLength)]);
}

/** Returns how many of some game messages, from one on, fit into a message of KIND_RELIABLE; one at least. */
export function fits(messages: readonly Uint8Array[], from: number): number {
  let n = 0;
  for (let size = 27; from + n < messages.length; n++) { // the longest head
    const length = messages[from + n]?.length ?? 0;
    size += uvarint(length).length + length;
    if (size > MAX_MESSAGE) break;
  }
  return n;
}

const withLength = (m: Uint8Array): Uint8Array[] => [uvarint(m.length), m];

function uvarint(v: number): Uint8Array {
  const bytes: number[] = [];
  for (; v > 127; v = Math.floor(v / 128)) bytes.push((v % 128) | 128);
  bytes.push(v);
  return Uint8Array.from(bytes);
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    all.set(p, at);
    at += p.length;
  }
  return all;
}

/** Rounds halves away from zero, as -32768 must not come out and both directions should be the same. */
function moveOnWire(v: number): number {
  const scaled = Math.min(Math.max(v, -1), 1) * MOVE_SCALE;
  return Math.sign(scaled) * Math.round(Math.abs(scaled)) || 0;
}

/** Reads the snapshots of one connection. */
export class Decoder {
  private readonly held = new Map<number, Snapshot["entities"]>();
  private newest = 0;

  /**
   * Returns the snapshot in a message, or null if that is relative to one that is not there. It throws Malformed for
   * anything else, and is then as it was before.
   */
  decode(message: ArrayBuffer): Snapshot | null {
    const r = new Reader(message);
    r.header(KIND_SNAPSHOT);
    const tick = r.u32();
    const age = r.u8();
    check(tick !== 0, "tick 0");
    check(age <= MAX_BASE, "base out of range");
    const intent = r.u32();
    const own = r.own();
    let baseline: Snapshot["entities"] = [];
    if (age > 0) {
      const found = this.held.get((tick - age) >>> 0);
      if (!found) return null;
      baseline = found;
    }
    const entities = r.entities(baseline, own);
    r.end();
    this.keep(tick, entities);
    return { tick, intent, own, entities };
  }

  private keep(tick: number, entities: Snapshot["entities"]): void {
    if (this.newest === 0 || newer(tick, this.newest)) this.newest = tick;
    else if ((this.newest - tick) >>> 0 > MAX_BASE) return;
    for (const t of this.held.keys()) {
      if ((this.newest - t) >>> 0 > MAX_BASE) this.held.delete(t);
    }
    if (!this.held.has(tick)) this.held.set(tick, entities);
  }
}

function check(ok: boolean, what: string): asserts ok {
  if (!ok) throw new Malformed(what);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class Reader {
  private readonly view: DataView;
  private at = 0;

  constructor(private readonly bytes: ArrayBuffer) {
    check(bytes.byteLength <= MAX_MESSAGE, "too long");
    this.view = new DataView(bytes);
  }

  header(kind: number): void {
    if (this.u8() !== VERSION) throw new UnknownVersion("version");
    check(this.u8() === kind, "kind");
  }

  /** Reads game messages up to the end, most of them at most. */
  messages(most: number): Uint8Array[] {
    const messages: Uint8Array[] = [];
    while (this.at < this.bytes.byteLength) {
      const length = this.uvarint(MAX_GAME_MESSAGE);
      check(length > 0 && messages.length < most, "game messages out of range");
      messages.push(new Uint8Array(this.bytes, this.advance(length), length));
    }
    return messages;
  }

  own(): Own {
    return { // in the order of the message
      zone: this.u16(),
      x: this.position(0),
      y: this.position(0),
      hp: this.hp(),
      maxHP: this.uvarint(2 ** 31 - 1),
      level: this.uvarint(65535),
      xp: this.big(2n ** 63n - 1n),
      deaths: this.uvarint(2 ** 32 - 1),
      flags: this.u8(),
    };
  }

  entities(baseline: Snapshot["entities"], own: Own): Entity[] {
    const count = this.uvarint(MAX_ENTITIES);
    const used = new Set<number>();
    const entities: Entity[] = [];
    for (let i = 0; i < count; i++) {
      const ref = this.uvarint(baseline.length);
      const before = baseline[ref - 1];
      if (!before) {
        entities.push(this.added(own));
        continue;
      }
      check(!used.has(ref), "reference used twice");
      used.add(ref);
      entities.push(this.changed({ ...before }));
    }
    return entities;
  }

  private added(own: Own): Entity {
    const id = this.big(2n ** 64n - 1n);
    check(id !== 0n, "id 0");
    return { // in the order of the message
      id,
      kind: this.u8(),
      flags: this.u8(),
      level: this.uvarint(65535),
      x: this.position(own.x),
      y: this.position(own.y),
      hp: this.hp(),
      maxHP: this.uvarint(2 ** 31 - 1),
      name: this.name(),
    };
  }

  private changed(e: Entity): Entity {
    const fields = this.u8();
    check(fields < 16, "unknown bits of changed");
    if (fields & 1) {
      e.x = this.position(e.x);
      e.y = this.position(e.y);
    }
    if (fields & 2) e.hp = this.hp();
    if (fields & 4) e.flags = this.u8();
    if (fields & 8) {
      e.level = this.uvarint(65535);
      e.maxHP = this.uvarint(2 ** 31 - 1);
    }
    return e;
  }

  private name(): string {
    const length = this.u8();
    check(length <= MAX_NAME, "name too long");
    const start = this.advance(length);
    try {
      return utf8.decode(new Uint8Array(this.bytes, start, length));
    } catch {
      throw new Malformed("name is not UTF-8");
    }
  }

  private position(from: number): number {
    const v = from + this.svarint();
    check(Math.abs(v) <= MAX_POSITION, "position out of range");
    return v;
  }

  private hp(): number {
    const v = this.svarint();
    check(v >= -(2 ** 31) && v < 2 ** 31, "hit points out of range");
    return v;
  }

  /** Reads a signed number. No field has one beyond 2^32, so that a double holds all of them. */
  private svarint(): number {
    const v = this.uvarint(2 ** 33);
    return v % 2 ? -(v + 1) / 2 : v / 2;
  }

  uvarint(max: number): number {
    return Number(this.big(BigInt(max)));
  }

  private big(max: bigint): bigint {
    let low = 0; // 28 bits, enough for nearly all
    let high = 0n;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.u8();
      if (shift < 28) low |= (byte & 127) << shift;
      else high |= BigInt(byte & 127) << BigInt(shift);
      if (byte < 128) {
        const v = high | BigInt(low);
        check(v <= max, "number out of range");
        return v;
      }
    }
    throw new Malformed("number of more than 10 bytes");
  }

  u8(): number {
    return this.view.getUint8(this.advance(1));
  }

  u16(): number {
    return this.view.getUint16(this.advance(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.advance(4), true);
  }

  end(): void {
    check(this.at === this.bytes.byteLength, "bytes left over");
  }

  private advance(n: number): number {
    const start = this.at;
    check(start + n <= this.bytes.byteLength, "cut short");
    this.at = start + n;
    return start;
  }
}
