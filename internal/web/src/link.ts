// One WebSocket of the realtime channel, from its opening to its end. A link knows nothing of others: what to do when it
// is silent or closed is for channel.ts.

import {
  Decoder, encodeIntent, following, KIND_RELIABLE, KIND_UNRELIABLE, kindOf, newer, UnknownVersion, type Intent,
  type Snapshot,
} from "./protocol.ts";

/** What the player wants, until something else is wanted. */
export type Wish = Pick<Intent, "moveX" | "moveY" | "action">;

export interface LinkEvents {
  /** The WebSocket is open. The node waits for the greeting. */
  onOpen: (link: Link) => void;
  /** A snapshot that is newer than all before on this link. */
  onSnapshot: (link: Link, s: Snapshot, now: number) => void;
  /** A message comes that has messages of the game. */
  onMessages: (link: Link, message: ArrayBuffer) => void;
  /** The WebSocket has closed, by whatever cause but drop. */
  onClosed: (link: Link, code: number, reason: string) => void;
  /** The node speaks a version that this page does not know. */
  onUnknownVersion: () => void;
}

const SUBPROTOCOL = "rushgate.v1";

export class Link {
  /** For how long nothing has come, in ms of the time in which the page has run; the channel counts. */
  quiet = 0;
  /** When the first snapshot came, by performance.now(); 0 before. */
  livesSince = 0;
  /** Which greeting of its channel this link's was, from 1; 0 if the node has yet to be greeted. */
  greeting = 0;
  /** Numbers of the newest intent, and of the tick in the newest snapshot. */
  private seq = 0;
  private ack = 0;
  private readonly decoder = new Decoder(); // a connection knows nothing of the one before
  private readonly socket: WebSocket;

  constructor(url: string, private readonly events: LinkEvents) {
    this.socket = new WebSocket(url, SUBPROTOCOL);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      this.quiet = 0;
      events.onOpen(this);
    };
    this.socket.onmessage = (e: MessageEvent<unknown>) => this.receive(e.data);
    this.socket.onclose = (e) => events.onClosed(this, e.code, e.reason);
  }

  /** Whether snapshots have come. */
  get lives(): boolean {
    return this.livesSince > 0;
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /** Tells the node whose link this is, which ends the session's other links. The WebSocket has to be open. */
  greet(token: string, number: number): void {
    this.greeting = number;
    this.socket.send(JSON.stringify({ session_token: token }));
  }

  /** Sends an intent and returns its number, or 0 where there is nothing to send to. */
  send(wish: Wish): number {
    // Between the node's goodbye and the event that tells of it, there is no node.
    if (!this.lives || !this.isOpen) return 0;
    this.seq = following(this.seq);
    this.socket.send(encodeIntent({ seq: this.seq, ack: this.ack, ...wish, target: 0n }));
    return this.seq;
  }

  /** Sends messages of the game, and reports whether there was something to send them to. */
  sendMessages(packet: Uint8Array<ArrayBuffer>): boolean {
    if (!this.greeting || !this.isOpen) return false;
    this.socket.send(packet);
    return true;
  }

  /** Forgets the WebSocket. What it still has to say does not count. */
  drop(): void {
    const { socket } = this;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  private receive(data: unknown): void {
    this.quiet = 0;
    if (!(data instanceof ArrayBuffer)) return;
    const kind = kindOf(data);
    if (kind === KIND_UNRELIABLE || kind === KIND_RELIABLE) return this.events.onMessages(this, data);
    let snapshot: Snapshot | null;
    try {
      snapshot = this.decoder.decode(data);
    } catch (err) {
      if (err instanceof UnknownVersion) this.events.onUnknownVersion();
      return; // dropped, whatever was wrong with it
    }
    if (!snapshot || (this.ack && !newer(snapshot.tick, this.ack))) return;
    this.ack = snapshot.tick;
    const now = performance.now();
    this.livesSince ||= Math.max(now, 1);
    this.events.onSnapshot(this, snapshot, now);
  }
}
