// The realtime channel over a WebSocket, section 1.1 of docs/protocol.md: it is opened again whenever it is lost, for
// as long as the session lives.

import { jitter } from "./backoff.ts";
import { Decoder, encodeIntent, following, newer, UnknownVersion, type Intent, type Snapshot } from "./protocol.ts";

/** What the player wants, until something else is wanted. */
export type Wish = Pick<Intent, "moveX" | "moveY" | "action">;

/** Why a channel is not opened again. */
export type Ending =
  | "session-ended" // log in again
  | "replaced" // the player is elsewhere
  | "stopping" // the node is going down
  | "incompatible" // this page and the node do not understand each other
  | "refused" // the node does not take pages of this origin
  | "lost"; // nothing has answered for longer than any session lives

export interface ChannelEvents {
  /** A snapshot that is newer than all before. */
  onSnapshot: (s: Snapshot, now: number) => void;
  /** Snapshots come. The first one follows. */
  onOpen: () => void;
  /** The channel is lost, and is being opened again. */
  onLost: () => void;
  /** It is over. Nothing follows. */
  onEnd: (why: Ending) => void;
  /** An intent has gone out. */
  onSent: (seq: number, now: number) => void;
}

const SUBPROTOCOL = "rushgate.v1";
/** Between two intents, in ms: at least, and at most. The acknowledgement in each keeps snapshots small. */
const INTENT_GAP = 40;
const HEARTBEAT = 100;
/** After so much silence the channel is taken for lost, in ms. */
const SILENCE = 10_000;
/** Pauses between attempts are no longer, in ms: a session without a word from its player lasts half a minute. */
const MAX_PAUSE = 5_000;
/** For so long without any answer attempts go on, in ms: no session lives longer in silence, whatever its node's settings. */
const LOST_AFTER = 3600_000 + 60_000;
/** The longest pause that a node can ask for, in ms. */
const MAX_WAIT = 30_000;
/** A pulse that comes so late, in ms, comes after a sleep of the machine or the page. */
const ASLEEP = 3_000;
/** After a sleep, snapshots come within so many ms, or the channel is lost. */
const AWAKENING = 1_000;

/**
 * What to do after a WebSocket has closed: end for good, or come back after so many ms at the earliest.
 *
 * Only a node ends with codes from 4000 on. Every other code, 1000, 1001 and 1008 included, may be that of a proxy which
 * starts anew or has had enough: it ends the road, and not the session.
 */
export function afterClose(code: number, reason: string): { end: Ending } | { wait: number } {
  switch (code) {
    case 4401: // no such session
    case 4410: // it has ended
      return { end: "session-ended" };
    case 4409:
      return { end: "replaced" };
    case 4411:
      return { end: "stopping" };
    case 4400:
      return { end: "incompatible" };
    case 4429: {
      const ms = Number(/^retry in (\d{1,6}) ms$/.exec(reason)?.[1] ?? MAX_PAUSE);
      return { wait: Math.min(ms, MAX_WAIT) };
    }
  }
  return { wait: 0 };
}

export class Channel {
  private socket: WebSocket | null = null;
  private decoder = new Decoder();
  private wish: Wish = { moveX: 0, moveY: 0, action: 0 };
  private unsent = false;
  private seq = 0;
  private ack = 0;
  private open = false;
  private shaken = false; // hands, with the node, at least once
  private ended = false;
  private tries = 0;
  private sentAt = -Infinity;
  private heardAt = 0; // anything, on this WebSocket or at its opening
  private answeredAt = performance.now();
  private pulse = 0;
  private retry = 0;
  private beatAt = performance.now();
  private beatDay = Date.now(); // the same by a clock that goes on while the machine sleeps

  constructor(
    private readonly url: string,
    private readonly token: string,
    private readonly events: ChannelEvents,
    /** Asks the node whether it refuses this page: browsers do not say why a WebSocket could not be opened. */
    private readonly refused: () => Promise<boolean> = () => Promise.resolve(false),
  ) {
    this.pulse = setInterval(() => this.beat(), INTENT_GAP / 2);
    this.connect();
  }

  /** Says what the player wants from now on. It may be called at any time and as often as one likes. */
  want(wish: Wish): void {
    const { moveX, moveY, action } = this.wish;
    if (moveX === wish.moveX && moveY === wish.moveY && action === wish.action) return;
    this.wish = wish;
    this.unsent = true;
    this.beat();
  }

  /** Tries at once, as when the network has come back. */
  hurry(): void {
    if (this.retry) this.connect();
  }

  /**
   * Looks whether the channel has outlived a sleep, as when the page is seen again. The node may have given up the
   * connection long ago, and the session lives on for a while only.
   */
  wake(): void {
    this.hurry();
    this.noticeSleep();
  }

  /** Closes the channel for good, without a word to the events. */
  stop(): void {
    this.ended = true;
    clearInterval(this.pulse);
    clearTimeout(this.retry);
    this.drop();
  }

  private end(why: Ending): void {
    if (this.ended) return;
    this.stop();
    this.events.onEnd(why);
  }

  private connect(): void {
    clearTimeout(this.retry);
    this.retry = 0;
    this.decoder = new Decoder(); // a connection knows nothing of the one before
    this.seq = this.ack = 0;
    const socket = new WebSocket(this.url, SUBPROTOCOL);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.heardAt = performance.now();
    socket.onopen = () => {
      this.shaken = true;
      socket.send(JSON.stringify({ session_token: this.token }));
    };
    socket.onmessage = (e: MessageEvent<unknown>) => this.receive(e.data);
    socket.onclose = (e) => this.closed(e.code, e.reason);
  }

  /** Forgets the WebSocket. What it still has to say does not count. */
  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    this.open = false;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  private closed(code: number, reason: string): void {
    const next = afterClose(code, reason);
    const wasOpen = this.open;
    this.drop();
    if ("end" in next) return this.end(next.end);
    const now = performance.now();
    if (wasOpen || code >= 4000) this.answeredAt = now;
    if (now - this.answeredAt > LOST_AFTER) return this.end("lost");
    const pause = Math.max(Math.min(jitter(this.tries++), MAX_PAUSE), next.wait);
    this.retry = setTimeout(() => this.connect(), pause);
    this.events.onLost();
    if (!this.shaken) void this.askWhy();
  }

  private async askWhy(): Promise<void> {
    if ((await this.refused()) && !this.shaken) this.end("refused");
  }

  private receive(data: unknown): void {
    const now = performance.now();
    this.heardAt = now;
    if (!(data instanceof ArrayBuffer)) return;
    let snapshot: Snapshot | null;
    try {
      snapshot = this.decoder.decode(data);
    } catch (err) {
      if (err instanceof UnknownVersion) this.end("incompatible");
      return; // dropped, whatever was wrong with it
    }
    if (!snapshot || (this.ack && !newer(snapshot.tick, this.ack))) return;
    this.ack = snapshot.tick;
    if (!this.open) {
      this.open = true;
      this.tries = 0;
      this.events.onOpen();
    }
    this.events.onSnapshot(snapshot, now);
    this.beat(); // in a tab that is not seen timers run once in a second or less
  }

  /** Leaves a channel that was asleep little time to show that it lives. */
  private noticeSleep(): void {
    const now = performance.now(), day = Date.now();
    const gap = Math.max(now - this.beatAt, day - this.beatDay);
    this.beatAt = now;
    this.beatDay = day;
    if (gap < ASLEEP) return;
    if (this.socket) this.heardAt = Math.min(this.heardAt, now - SILENCE + AWAKENING);
    else this.hurry(); // its pause has lasted long enough
  }

  /** Sends the intent if it is due, and notices silence. */
  private beat(): void {
    this.noticeSleep();
    const socket = this.socket;
    if (!socket) return;
    const now = performance.now();
    if (now - this.heardAt > SILENCE) return this.closed(1006, "");
    const gap = now - this.sentAt;
    // Between the node's goodbye and the event that tells of it, there is no node to send to.
    if (!this.open || socket.readyState !== WebSocket.OPEN || gap < (this.unsent ? INTENT_GAP : HEARTBEAT)) return;
    this.seq = following(this.seq);
    socket.send(encodeIntent({ seq: this.seq, ack: this.ack, ...this.wish, target: 0n }));
    this.unsent = false;
    this.sentAt = now;
    this.events.onSent(this.seq, now);
  }
}
