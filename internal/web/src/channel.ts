// The realtime channel over WebSockets, section 1.1 of docs/protocol.md: there is always one, for as long as the
// session lives. One that is silent is kept until another has shown that it lives.

import { afterClose, type Ending } from "./closing.ts";
import { Link, type Wish } from "./link.ts";
import type { Snapshot } from "./protocol.ts";
import type { Talk } from "./talk.ts";

/** Why snapshots do not come at the moment. */
export interface Trouble {
  /** The node is being replaced, and has said so. */
  restart: boolean;
  /** When the next try is, in ms from now; 0 while there is one. */
  next: number;
}

export interface ChannelEvents {
  /** A snapshot that is newer than all before. */
  onSnapshot: (s: Snapshot, now: number) => void;
  /** Snapshots come, of another link or after a loss. The first one follows. */
  onOpen: () => void;
  /** No snapshots come. The channel goes on trying; each failure is told. */
  onLost: (t: Trouble) => void;
  /** It is over. Nothing follows. */
  onEnd: (why: Ending) => void;
  /** An intent has gone out. */
  onSent: (seq: number, now: number) => void;
}

/** What a channel asks the node by other ways. */
export interface Node {
  /** Asks whether it refuses this page: browsers do not say why a WebSocket could not be opened. */
  refuses: () => Promise<boolean>;
  /** Has a session that another node has move here. Returns for how many ms to wait then, or what has ended. */
  move: () => Promise<number | Ending>;
}

// All times are in ms. What is called quiet counts time in which the page has run, as its timers show: what a page that
// was asleep, hidden or busy has not heard is held against no connection.

/** Between two intents: at least, and at most. The acknowledgement in each keeps snapshots small. */
const INTENT_GAP = 40;
const HEARTBEAT = 100;
/** Between two looks at the clock no more than this counts, however late the second one is. */
const MOST_PER_BEAT = 250;
/** After so much quiet, or three snapshots that are missing, a second link is opened beside the first. */
const PROBE_AFTER = 1_000;
/** And up to so much later, at random: a node that stood still for a moment is not to be asked by all at once. */
const PROBE_SPREAD = 750;
/** So long does a second link that is open leave the first one to come to life: then the node need not be greeted. */
const HESITATION = 100;
/** Within so much time a second link has to live, and a first one to be open; then twice that, and so on to SILENCE. */
const PATIENCE = 4_000;
/** What happened so long ago says nothing about how often to open second links. */
const PROBE_MEMORY = 30_000;
/** After so much quiet the player is told. */
const STALL = 3_000;
/** After so much quiet a link is given up, whether there is another or not. */
const SILENCE = 10_000;
/** A node that has taken a greeting ends the session's older links within this time. */
const GREETING_TIME = 15_000;
/** The pause before the first try after a loss is at most so long; each further one twice as long, up to MAX_PAUSE. */
const FIRST_PAUSE = 500;
const MAX_PAUSE = 4_000;
/** A link that has lived so long was good: what comes after it is a first try. */
const STEADY = 5_000;
/** For so long without any answer tries go on: no session lives longer in silence, whatever its node's settings. */
const LOST_AFTER = 3600_000 + 60_000;
/** A look at the clock that comes so late comes after a sleep of the machine or the page. */
const ASLEEP = 3_000;
/** After a sleep, something is heard within so much time, or a second link is opened. */
const AWAKENING = 500;

export class Channel {
  private link: Link | null = null; // the one to play by, or that is being opened for it
  private spare: Link | null = null; // the younger one, which has yet to live
  private wish: Wish = { moveX: 0, moveY: 0, action: 0 };
  private unsent = false;
  private sentAt = -Infinity;
  private shown = false; // snapshots come, as far as the player is told
  private quiet = 0; // since the last snapshot that was shown
  private shaken = false; // hands, with the node, at least once
  private restart = false; // the node's last word
  private ended = false;

  private greetings = 0;
  private greetedAt = -Infinity;
  private tries = 0; // that failed in a row
  private probes = 0; // of late
  private probedAt = -Infinity;
  private nextProbe = 0; // the earliest time
  private spread = PROBE_SPREAD * Math.random();
  private interval = 0; // between two snapshots, as the node has them
  private tick = 0;
  private speaker: Link | null = null; // of the snapshot before
  private notBefore = 0; // by the node's word
  private answeredAt = performance.now();

  private pulse = 0;
  private retry = 0;
  private hesitation = 0;
  private beatAt = performance.now();
  private beatDay = Date.now(); // the same by a clock that goes on while the machine sleeps

  constructor(
    private readonly url: string,
    private readonly token: string,
    private readonly events: ChannelEvents,
    private readonly node: Node,
    /** What the game and the world say to each other besides; without it nothing. It belongs to the channel. */
    private readonly talk?: Talk,
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

  /** Tries at once, as when the network has come back; no earlier than the node has asked for. */
  hurry(): void {
    if (this.ended || performance.now() < this.notBefore) return;
    this.nextProbe = 0;
    if (this.retry) this.connect();
    else if (this.link?.greeting && !this.spare && this.link.quiet > AWAKENING) this.probe();
  }

  /**
   * Looks whether the channel has outlived a sleep, as when the page is seen again. The node may have given up the
   * connection long ago, and the session lives on for a while only.
   */
  wake(): void {
    this.beat();
    this.hurry();
  }

  /** Closes the channel for good, without a word to the events. */
  stop(): void {
    this.ended = true;
    this.talk?.stop();
    clearInterval(this.pulse);
    clearTimeout(this.retry);
    clearTimeout(this.hesitation);
    this.link?.drop();
    this.spare?.drop();
    this.link = this.spare = null;
  }

  private end(why: Ending): void {
    if (this.ended) return;
    this.stop();
    this.events.onEnd(why);
  }

  private connect(): void {
    clearTimeout(this.retry);
    this.retry = 0;
    this.link = this.open();
  }

  /** Opens a second link beside one that is silent. Two that are being opened would wait for each other in browsers. */
  private probe(): void {
    const now = performance.now();
    if (now - this.probedAt > PROBE_MEMORY) this.probes = 0;
    this.probedAt = now;
    this.nextProbe = now + Math.min(PROBE_AFTER * 2 ** this.probes++, SILENCE) * (1 + Math.random());
    this.spread = PROBE_SPREAD * Math.random();
    this.spare = this.open();
  }

  private open(): Link {
    return new Link(this.url, {
      onOpen: (l) => this.opened(l),
      onSnapshot: (l, s, now) => this.receive(l, s, now),
      onMessages: (l, message) => this.talkOver(l)?.hear(message),
      onClosed: (l, code, reason) => this.closed(l, code, reason),
      onUnknownVersion: () => this.end("incompatible"),
    });
  }

  private opened(link: Link): void {
    this.shaken = true;
    if (link === this.link) this.greet(link);
    else this.hesitation = setTimeout(() => link === this.spare && this.greet(link), HESITATION);
  }

  private greet(link: Link): void {
    this.greetedAt = performance.now();
    link.greet(this.token, ++this.greetings);
  }

  /** Puts the second link in the place of the first. */
  private promote(): void {
    const link = this.spare;
    this.link?.drop();
    this.link = link;
    this.spare = null;
    if (link?.isOpen && !link.greeting) this.greet(link); // there is nothing left to hesitate for
  }

  private dropSpare(): void {
    this.spare?.drop();
    this.spare = null;
  }

  private closed(link: Link, code: number, reason: string): void {
    const next = afterClose(code, reason), now = performance.now();
    if (link.lives || code >= 4000) this.answeredAt = now;
    link.drop();
    if ("end" in next) {
      if (!this.passes(link, next.end)) return this.end(next.end);
    } else {
      this.restart = next.restart ?? (this.restart && !link.lives);
      this.notBefore = Math.max(this.notBefore, now + next.wait);
      if (next.move) void this.move();
    }
    if (link === this.spare) return this.dropSpare();
    if (now - this.answeredAt > LOST_AFTER) return this.end("lost");
    if (link.lives && now - link.livesSince > STEADY) this.tries = 0;
    this.link = null;
    const replacedByOwn = "end" in next && Boolean(this.spare);
    if (this.spare) this.promote();
    else if (this.notBefore < Infinity) this.retryLater(now);
    if (!replacedByOwn) this.lose();
    if (!this.shaken) void this.askWhy();
  }

  /** Has the session move to the node. Until it has answered there is no use in another link. */
  private async move(): Promise<void> {
    this.notBefore = Infinity;
    const answer = await this.node.move();
    if (this.ended) return;
    if (typeof answer === "string") return this.end(answer);
    this.notBefore = performance.now() + answer;
    if (!this.link) this.retryLater(performance.now());
  }

  /** Reports whether an ending does not end the session, as far as this page knows better. */
  private passes(link: Link, why: Ending): boolean {
    switch (why) {
      case "replaced": // by another link of this page?
        return link.greeting < this.greetings && performance.now() - this.greetedAt < GREETING_TIME;
      case "no-session":
      case "session-ended": // the one that is played by is heard of, and will be told, too
        return link === this.spare && Boolean(this.link?.lives) && (this.link?.quiet ?? 0) < PROBE_AFTER;
    }
    return false;
  }

  private retryLater(now: number): void {
    const pause = Math.random() * Math.min(FIRST_PAUSE * 2 ** this.tries++, MAX_PAUSE);
    const asked = this.notBefore > now ? this.notBefore - now + FIRST_PAUSE * Math.random() : 0;
    this.retry = setTimeout(() => this.connect(), Math.max(pause, asked));
  }

  /** Tells the player that snapshots do not come. */
  private lose(): void {
    this.shown = false;
    const { notBefore, restart, retry } = this;
    this.events.onLost({ restart, next: retry ? Math.max(notBefore - performance.now(), 0) : 0 });
  }

  private async askWhy(): Promise<void> {
    if ((await this.node.refuses()) && !this.shaken) this.end("refused");
  }

  /** Has the talk go on over a link, if it is the one that the node was greeted over last: there the node talks. */
  private talkOver(link: Link): Talk | undefined {
    if (link.greeting !== this.greetings) return undefined;
    this.talk?.over(link);
    return this.talk;
  }

  private receive(link: Link, s: Snapshot, now: number): void {
    this.talkOver(link);
    const first = link !== this.speaker;
    this.speaker = link;
    if (link === this.spare) this.promote();
    else if (this.spare && !this.spare.greeting) this.dropSpare(); // it was not needed
    this.learn(s, first);
    this.quiet = 0;
    if (first || !this.shown) {
      this.shown = true;
      this.restart = false;
      this.events.onOpen();
    }
    this.events.onSnapshot(s, now);
    this.beat(); // in a tab that is not seen timers run once in a second or less
  }

  /** Learns how often the node sends snapshots, which is as rarely as once a second. */
  private learn(s: Snapshot, first: boolean): void {
    const gap = Math.min((((s.tick - this.tick) | 0) * 1000) / 60, 1000);
    this.tick = s.tick;
    if (!first && gap > 0) this.interval += (gap - this.interval) * 0.2;
  }

  /** Sees to it that there is a link that lives, and sends the intent if it is due. */
  private beat(): void {
    this.count();
    const { link, spare } = this;
    if (link && link.quiet > (link.greeting ? SILENCE : this.patience())) this.closed(link, 1006, "");
    else if (spare && spare.quiet > this.patience()) this.dropSpare();
    else if (link && !spare && this.isSilent(link)) this.probe();
    if (this.ended) return;
    if (this.shown && this.quiet > STALL) this.lose();
    this.send();
  }

  /** Counts the time in which nothing was heard. */
  private count(): void {
    const now = performance.now(), day = Date.now();
    const passed = now - this.beatAt, gap = Math.max(passed, day - this.beatDay);
    this.beatAt = now;
    this.beatDay = day;
    const counted = Math.min(passed, MOST_PER_BEAT);
    this.quiet += counted;
    for (const l of [this.link, this.spare]) if (l) l.quiet += counted;
    if (gap < ASLEEP) return;
    this.notBefore -= gap - passed; // the clock of the timers may have stood still
    if (this.link) this.link.quiet = Math.max(this.link.quiet, this.silence(this.link) - AWAKENING);
    else this.hurry(); // its pause has lasted long enough
  }

  private isSilent(link: Link): boolean {
    if (!link.greeting || performance.now() < Math.max(this.nextProbe, this.notBefore)) return false;
    return link.quiet > this.silence(link) + this.spread;
  }

  /** Returns how quiet a link is that may be no more. */
  private silence(link: Link): number {
    return link.lives ? Math.max(PROBE_AFTER, 3 * this.interval) : this.patience();
  }

  private patience(): number {
    return Math.min(PATIENCE * 2 ** Math.max(this.probes - 1, this.tries, 0), SILENCE);
  }

  private send(): void {
    this.talk?.flush();
    const now = performance.now();
    if (now - this.sentAt < (this.unsent ? INTENT_GAP : HEARTBEAT)) return;
    const seq = this.link?.send(this.wish) ?? 0;
    if (!seq) return;
    this.unsent = false;
    this.sentAt = now;
    this.events.onSent(seq, now);
  }
}
