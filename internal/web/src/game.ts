// A session in play: the channel to the node, and what is shown of it.

import { channelURL, me, moveHere, Refusal, refusesPage, type Session } from "./api.ts";
import { Channel, type Trouble } from "./channel.ts";
import type { Ending } from "./closing.ts";
import type { Painter } from "./draw.ts";
import type { Hud } from "./hud.ts";
import type { Input } from "./input.ts";
import { OwnMotion, type Point } from "./own.ts";
import { SCALE, type Snapshot } from "./protocol.ts";
import { Swing } from "./swing.ts";
import { OUT_OF_REACH } from "./words.ts";
import { Timeline } from "./world.ts";

const ACTION_ATTACK = 1; // of the reference world
const KIND_PLAYER = 1;
/** Between a node's no and another try to have a session move to it, in ms at least. */
const MOVE_PAUSE = 1_000;

export interface GameEvents {
  /** Snapshots come, or do not; why not is known once there has been a failure. */
  onConnected: (yes: boolean, trouble?: Trouble) => void;
  onEnd: (why: Ending) => void;
}

export class Game {
  private readonly channel: Channel;
  private timeline = new Timeline();
  private motion = new OwnMotion();
  private latest: Snapshot | null = null;
  private facing: Point | null = null;
  private zone = -1;
  private readonly swing = new Swing();

  constructor(
    private readonly session: Session,
    private readonly canvas: HTMLCanvasElement,
    private readonly painter: Painter,
    private readonly hud: Hud,
    private readonly input: Input,
    private readonly events: GameEvents,
  ) {
    this.connected(false);
    this.channel = new Channel(channelURL(), session.token, {
      onOpen: () => this.begin(),
      onSnapshot: (s, now) => this.see(s, now),
      onSent: (seq, now) => this.motion.onSent(seq, now),
      onLost: (trouble) => this.connected(false, trouble),
      onEnd: (why) => {
        this.connected(false);
        this.events.onEnd(why);
      },
    }, { refuses: refusesPage, move: () => this.move() });
  }

  stop(): void {
    this.channel.stop();
    this.connected(false);
  }

  /** Looks whether the channel is still there, and tries to get it back without waiting any longer. */
  wake(): void {
    this.channel.wake();
  }

  /** Takes what the player does with keys and pointers. */
  steer(): void {
    const { x, y } = this.input.direction;
    if (x || y) this.facing = { x: x / Math.hypot(x, y), y: y / Math.hypot(x, y) };
    const now = performance.now();
    this.motion.steer(x, y, now);
    this.swing.hold(this.input.attacking, now);
    this.channel.want({ moveX: x, moveY: y, action: this.input.attacking ? ACTION_ATTACK : 0 });
  }

  /** Draws a frame. */
  paint(now: number): void {
    const own = this.latest?.own;
    if (!own) return this.painter.blank();
    this.painter.paint({
      own, now, at: this.motion.at(now), facing: this.facing, attacking: this.input.attacking,
      others: this.timeline.at(now), stick: this.input.stick,
    });
  }

  /** Forgets what an earlier connection told: its ticks may be those of a node that is no more. */
  private begin(): void {
    this.timeline = new Timeline();
    this.motion = new OwnMotion();
    this.connected(true);
    this.steer();
  }

  private see(s: Snapshot, now: number): void {
    this.latest = s;
    this.timeline.push(s, now);
    this.motion.push(s.own, s.intent, this.timeline.newest, now);
    this.painter.watch(s.own, s.entities, now);
    this.hud.update(s.own);
    if (this.swing.missed(s, now)) this.hud.tell(OUT_OF_REACH);
    if (s.own.zone !== this.zone) {
      void this.enterZone(s.own.zone);
    }
    const d = this.canvas.dataset;
    d["entities"] = String(s.entities.length);
    d["players"] = String(s.entities.filter((e) => e.kind === KIND_PLAYER).length);
    d["x"] = String(s.own.x / SCALE);
    d["y"] = String(s.own.y / SCALE);
    d["hp"] = String(s.own.hp);
    d["zone"] = String(s.own.zone);
    d["tick"] = String(s.tick);
  }

  /** The realtime channel has numbers for zones only. */
  private async enterZone(zone: number): Promise<void> {
    const first = this.zone < 0;
    this.zone = zone;
    this.hud.zone(String(zone));
    try {
      const { name, zone: zoneName } = await me(this.session.token);
      if (zone !== this.zone) return;
      this.hud.name(name);
      this.hud.zone(zoneName);
      if (!first) this.hud.tell(zoneName);
    } catch {
      // The number has to do. Should the session be over, the channel will say so.
    }
  }

  /** Has the session go on at this node, which another has. */
  private async move(): Promise<number | Ending> {
    try {
      await moveHere(this.session.token);
      return 0;
    } catch (err) {
      if (!(err instanceof Refusal)) return MOVE_PAUSE;
      if (err.reason === "bad-credentials") return "no-session";
      return err.reason === "wrong-zone" ? "elsewhere" : Math.max(err.retryAfter, MOVE_PAUSE);
    }
  }

  private connected(yes: boolean, trouble?: Trouble): void {
    this.canvas.dataset["connected"] = String(yes);
    this.events.onConnected(yes, trouble);
  }
}
