// What the game and its node say to each other besides intents and snapshots: section 3.3 of docs/protocol.md. Reliable
// messages arrive once and in order, over as many WebSockets as it takes.

import {
  decodeReliable, decodeUnreliable, encodeReliable, encodeUnreliable, fits, KIND_UNRELIABLE, kindOf, Malformed,
  MAX_GAME_MESSAGE, type Reliable,
} from "./protocol.ts";

/** How many reliable messages, and bytes of them, wait to be acknowledged; and how much of that is on its way. */
const MAX_WAITING = 256;
const MAX_WAITING_BYTES = 64 << 10;
const WINDOW = 64;
const WINDOW_BYTES = 32 << 10;
/** A WebSocket loses nothing, so what is not acknowledged in so many ms was not taken. */
const PATIENCE = 5_000;

export interface TalkEvents {
  /** The world says something. */
  onMessage: (data: Uint8Array, reliable: boolean) => void;
  /**
   * Of the reliable messages that would come here some are lost, or all: the page was away for too long, or a node has
   * lost what it had to say. In the latter case what was said last may be heard twice.
   */
  onLost: () => void;
}

/** What a talk goes over: a WebSocket. */
export interface Road {
  /** Sends a message, and reports whether there was something to send it to. */
  sendMessages: (message: Uint8Array<ArrayBuffer>) => boolean;
  readonly isOpen: boolean;
}

export class Talk {
  private road: Road | null = null;
  private ended = false;
  private readonly id = crypto.getRandomValues(new Uint32Array(1))[0] || 1;
  private peer = 0; // the other end; 0: not heard of
  private fresh = true; // nothing has come over the connection yet
  private waiting: Uint8Array[] = []; // to be acknowledged
  private bytes = 0; // of it
  private base = 1; // number of the first of it, or of the next one
  private sent = 1; // number of the first that is not on its way
  private highest = 1; // number after the last that ever was
  private deadline = Infinity; // when what is on its way is sent again
  private heard = 0; // number of the newest that was handed over
  private due = false; // the other end is to be told

  constructor(private readonly events: TalkEvents) {}

  /**
   * Says something to the world: 1 to 1024 bytes of the game's own, or a RangeError. What is reliable arrives once and
   * in order for as long as the session lasts on one node; false says that too much waits to be acknowledged, and that
   * this was not taken. What is not may be lost; false says that there is no connection.
   */
  say(data: Uint8Array, reliable = true): boolean {
    if (!data.length || data.length > MAX_GAME_MESSAGE) {
      throw new RangeError(`a message of ${data.length} bytes, which are to be 1 to ${MAX_GAME_MESSAGE}`);
    }
    if (this.ended) return false;
    if (!reliable) return this.road?.sendMessages(encodeUnreliable([data])) ?? false;
    if (this.waiting.length === MAX_WAITING || this.bytes + data.length > MAX_WAITING_BYTES) return false;
    this.waiting.push(data.slice());
    this.bytes += data.length;
    this.flush();
    return true;
  }

  /** Goes on over another WebSocket, if it is another. */
  over(road: Road): void {
    if (road === this.road) return;
    this.road = road;
    this.fresh = true;
    this.rewind();
  }

  /** Sends what there is to send. It is called every few milliseconds. */
  flush(): void {
    if (this.ended || !this.road?.isOpen) return;
    const now = performance.now();
    for (let packet = this.next(now); packet; packet = this.next(now)) this.road.sendMessages(packet);
  }

  /** Says nothing any more. */
  stop(): void {
    this.ended = true;
  }

  /** Takes a message of one of the two kinds that has come over the present WebSocket. One that is wrong is dropped. */
  hear(message: ArrayBuffer): void {
    try {
      this.receive(message);
    } catch (err) {
      if (!(err instanceof Malformed)) throw err;
    }
    this.flush();
  }

  private next(now: number): Uint8Array<ArrayBuffer> | null {
    if (now >= this.deadline) this.rewind();
    const from = this.sent - this.base;
    const room = Math.max(WINDOW_BYTES - size(this.waiting.slice(0, from)), 0);
    let n = Math.min(fits(this.waiting, from), WINDOW - from);
    while (n > 0 && size(this.waiting.slice(from, from + n)) > room) n--;
    if (n === 0 && !this.due) return null;
    const messages = this.waiting.slice(from, from + n);
    const packet = encodeReliable(
      { from: this.id, to: this.peer, ack: this.heard, first: this.sent, lost: false, messages });
    this.sent += n;
    this.highest = Math.max(this.highest, this.sent);
    this.due = false;
    if (this.deadline === Infinity && this.sent > this.base) this.deadline = now + PATIENCE;
    return packet;
  }

  private receive(message: ArrayBuffer): void {
    if (kindOf(message) === KIND_UNRELIABLE) {
      for (const data of decodeUnreliable(message)) this.events.onMessage(data, false);
      return;
    }
    const r = decodeReliable(message);
    if (r.from !== this.peer && !this.meet(r.from)) return;
    this.fresh = false;
    if (r.to && r.to !== this.id) { // it is numbered for another end
      this.due = true;
      return;
    }
    if (r.to) this.acknowledge(r.ack);
    if (r.messages.length || r.lost) this.take(r);
  }

  private take(r: Reliable): void {
    this.due = true;
    if (r.lost && r.first > this.heard + 1) {
      this.heard = r.first - 1;
      this.events.onLost();
    }
    if (r.first > this.heard + 1) return;
    for (const data of r.messages.slice(this.heard + 1 - r.first)) {
      this.heard++;
      this.events.onMessage(data, true);
    }
  }

  /** Begins with another end, if it can be one. If there was one before, that one has lost what it knew. */
  private meet(peer: number): boolean {
    if (this.peer && !this.fresh) return false; // it cannot be of this connection
    const anew = this.peer !== 0;
    this.peer = peer;
    if (!anew) return true;
    this.heard = 0;
    this.base = this.highest = 1;
    this.rewind();
    this.due = true;
    this.events.onLost();
    return true;
  }

  private acknowledge(number: number): void {
    if (number < this.base || number >= this.highest) return;
    for (const data of this.waiting.splice(0, number + 1 - this.base)) this.bytes -= data.length;
    this.base = number + 1;
    this.sent = Math.max(this.sent, this.base);
    this.deadline = this.sent > this.base ? performance.now() + PATIENCE : Infinity;
  }

  private rewind(): void {
    this.sent = this.base;
    this.deadline = Infinity;
  }
}

const size = (messages: readonly Uint8Array[]): number => messages.reduce((n, m) => n + m.length, 0);
