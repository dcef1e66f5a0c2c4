// The world on the canvas, the player in its middle.

import { STICK_REACH, type Stick } from "./input.ts";
import type { Entity, Own } from "./protocol.ts";
import type { Point } from "./own.ts";
import type { Shown } from "./world.ts";

/** A frame. */
export interface Scene {
  own: Own;
  at: Point;
  /** Where the player looks, 1 long; null to begin with. */
  facing: Point | null;
  attacking: boolean;
  others: readonly Shown[];
  stick: Stick | null;
  /** Time in ms. */
  now: number;
}

/** Hit points that an entity has just lost. */
interface Blow {
  id: bigint;
  lost: number;
  at: number;
}

// Flags and kinds of the reference world. Another world's may mean something else; what is unknown is shown plainly.
const FLAG_FIGHTING = 1;
const FLAG_DEAD = 2;
const KIND_PLAYER = 1;
const KIND_MONSTER = 2;
const PORTAL_BIT = 62n;

const GRID = 4; // units
const PLAYER_RADIUS = 0.62; // units
const BLOW_TIME = 700; // ms
const SWING_TIME = 600; // ms
const SELF = 0n; // no entity has this id

const COLOURS = [
  "ground", "grid", "grid-strong", "speck", "ink", "muted", "card", "accent", "health", "danger", "track",
  "player-light",
] as const;
type Palette = Record<(typeof COLOURS)[number], string>;

export class Painter {
  private readonly context: CanvasRenderingContext2D;
  private palette = {} as Palette;
  private readonly still = matchMedia("(prefers-reduced-motion: reduce)");
  private width = 0;
  private height = 0;
  private scale = 20; // CSS pixels in a unit
  private points = new Map<bigint, number>(); // hit points last seen
  private blows: Blow[] = [];

  constructor(private readonly canvas: HTMLCanvasElement) {
    const context = canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("no canvas");
    this.context = context;
    this.readPalette();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.readPalette());
  }

  private readPalette(): void {
    const style = getComputedStyle(document.documentElement);
    for (const name of COLOURS) this.palette[name] = style.getPropertyValue("--" + name).trim();
  }

  /** Compares the hit points of a snapshot with those before, to show what was lost. */
  watch(own: Own, entities: readonly Readonly<Entity>[], now: number): void {
    const before = this.points;
    this.points = new Map([[SELF, own.hp]]);
    for (const e of entities) this.points.set(e.id, e.hp);
    this.blows = this.blows.filter((b) => now - b.at < BLOW_TIME);
    for (const [id, hp] of this.points) {
      const lost = (before.get(id) ?? hp) - hp;
      if (lost > 0) this.blows.push({ id, lost, at: now });
    }
  }

  /** Draws the ground alone, for those outside. */
  blank(): void {
    this.fit();
    this.ground({ x: 0, y: 0 });
    this.points.clear();
    this.blows = [];
  }

  paint(s: Scene): void {
    this.fit();
    this.ground(s.at);
    for (const o of s.others) if (isPortal(o.entity)) this.other(o, s); // it lies on the ground
    // The nearest come first, and are drawn last.
    for (let i = s.others.length - 1; i >= 0; i--) {
      const o = s.others[i] as Shown;
      if (!isPortal(o.entity)) this.other(o, s);
    }
    this.self(s);
    if (s.stick) this.stick(s.stick);
  }

  private fit(): void {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    const [w, h] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
    }
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.scale = Math.min(Math.max(Math.min(this.width, this.height) / 34, 15), 26);
  }

  private ground(centre: Point): void {
    const { context: c, palette, scale, width, height } = this;
    c.fillStyle = palette.ground;
    c.fillRect(0, 0, width, height);
    const left = centre.x - width / 2 / scale;
    const top = centre.y - height / 2 / scale;
    const first = (v: number): number => Math.floor(v / GRID);
    c.fillStyle = palette.speck;
    for (let i = first(left); i * GRID < left + width / scale; i++) {
      for (let j = first(top); j * GRID < top + height / scale; j++) {
        const n = scatter(i, j);
        const x = (i + (n % 97) / 97) * GRID;
        const y = (j + (n % 89) / 89) * GRID;
        const size = 1 + (n % 3);
        c.fillRect((x - left) * scale, (y - top) * scale, size, size);
      }
    }
    for (const [from, extent, vertical] of [[left, width, true], [top, height, false]] as const) {
      for (let i = first(from); i * GRID < from + extent / scale; i++) {
        c.fillStyle = i % 4 === 0 ? palette["grid-strong"] : palette.grid;
        const at = Math.round((i * GRID - from) * scale);
        if (vertical) c.fillRect(at, 0, 1, height);
        else c.fillRect(0, at, width, 1);
      }
    }
  }

  private self(s: Scene): void {
    const { context: c, palette, scale } = this;
    const x = this.width / 2;
    const y = this.height / 2;
    const r = PLAYER_RADIUS * scale;
    const dead = s.own.hp <= 0 || (s.own.flags & FLAG_DEAD) !== 0;
    if (dead) {
      this.cross(x, y, r, palette.accent);
    } else {
      if (s.attacking) this.swing(x, y, r, s);
      if (s.facing) this.nose(x, y, r, s.facing);
      this.disc(x, y, r, palette.accent);
      c.lineWidth = 2;
      c.strokeStyle = palette.ink;
      c.stroke();
    }
    this.blowsOf(SELF, x, y - r, s.now);
  }

  private other(o: Shown, s: Scene): void {
    const { palette, scale } = this;
    const e = o.entity;
    const x = this.width / 2 + (o.x - s.at.x) * scale;
    const y = this.height / 2 + (o.y - s.at.y) * scale;
    if (x < -80 || y < -80 || x > this.width + 80 || y > this.height + 80) return;
    if (isPortal(e)) return this.portal(x, y, e);
    const monster = e.kind >= KIND_MONSTER;
    const colour = this.colour(e);
    let r = PLAYER_RADIUS * scale;
    if (e.hp <= 0) {
      this.cross(x, y, r, palette.muted);
    } else if (monster) {
      r *= Math.min(0.75 + 0.18 * (e.kind - KIND_MONSTER), 1.6);
      this.diamond(x, y, r * 1.15, colour);
    } else {
      this.disc(x, y, r, colour);
    }
    const fighting = (e.flags & FLAG_FIGHTING) !== 0;
    const hurt = e.hp > 0 && e.maxHP > 0 && e.hp < e.maxHP;
    if (hurt || (fighting && e.hp > 0)) this.health(x, y + r + 6, e);
    const label = monster || !e.level ? e.name : `${e.name} · ${e.level}`;
    this.text(label, x, y - r - 7, monster ? palette.muted : palette.ink, monster ? 11 : 13);
    this.blowsOf(e.id, x, y - r - 14, s.now);
  }

  /** A circle on the ground, as large as what takes players in. */
  private portal(x: number, y: number, e: Readonly<Entity>): void {
    const { context: c, palette, scale } = this;
    const r = e.level * scale;
    c.globalAlpha = 0.16;
    this.disc(x, y, r, palette.accent);
    c.globalAlpha = 1;
    c.setLineDash([10, 7]);
    c.lineWidth = 3;
    c.strokeStyle = palette.accent;
    c.stroke();
    c.setLineDash([]);
    this.text(`Portal to ${e.name}`, x, y + 5, palette.ink, 13);
  }

  private colour(e: Readonly<Entity>): string {
    if (e.kind === KIND_PLAYER) return `hsl(${Number((e.id * 47n) % 360n)} 55% ${this.palette["player-light"]})`;
    if (e.kind < KIND_MONSTER) return this.palette.muted;
    return `hsl(${(28 + 337 * (e.kind - KIND_MONSTER)) % 360} 62% ${this.palette["player-light"]})`;
  }

  private disc(x: number, y: number, r: number, colour: string): void {
    const c = this.context;
    c.beginPath();
    c.arc(x, y, r, 0, 2 * Math.PI);
    c.fillStyle = colour;
    c.fill();
  }

  private diamond(x: number, y: number, r: number, colour: string): void {
    const c = this.context;
    c.beginPath();
    c.moveTo(x, y - r);
    c.lineTo(x + r, y);
    c.lineTo(x, y + r);
    c.lineTo(x - r, y);
    c.closePath();
    c.fillStyle = c.strokeStyle = colour;
    c.lineJoin = "round";
    c.lineWidth = 3;
    c.fill();
    c.stroke();
  }

  /** The mark of the dead. */
  private cross(x: number, y: number, r: number, colour: string): void {
    const c = this.context;
    const d = r * 0.7;
    c.beginPath();
    c.moveTo(x - d, y - d);
    c.lineTo(x + d, y + d);
    c.moveTo(x + d, y - d);
    c.lineTo(x - d, y + d);
    c.strokeStyle = colour;
    c.lineWidth = 3;
    c.lineCap = "round";
    c.stroke();
  }

  private nose(x: number, y: number, r: number, facing: Point): void {
    const c = this.context;
    const angle = Math.atan2(facing.y, facing.x);
    c.beginPath();
    c.arc(x, y, r, angle - 0.6, angle + 0.6); // its ends lie below the disc
    c.lineTo(x + facing.x * (r + 9), y + facing.y * (r + 9));
    c.closePath();
    c.fillStyle = this.palette.ink;
    c.fill();
  }

  private swing(x: number, y: number, r: number, s: Scene): void {
    const c = this.context;
    const turn = this.still.matches ? 0 : ((s.now % SWING_TIME) / SWING_TIME) * 2 * Math.PI;
    c.beginPath();
    c.arc(x, y, r + 13, turn, turn + (this.still.matches ? 2 : 0.6) * Math.PI);
    c.strokeStyle = this.palette.accent;
    c.lineWidth = 3;
    c.lineCap = "round";
    c.stroke();
  }

  private health(x: number, y: number, e: Readonly<Entity>): void {
    const c = this.context;
    const width = 34;
    const share = Math.min(Math.max(e.hp / e.maxHP, 0), 1) || 0;
    c.fillStyle = this.palette.track;
    c.fillRect(x - width / 2, y, width, 4);
    c.fillStyle = share < 0.3 ? this.palette.danger : this.palette.health;
    c.fillRect(x - width / 2, y, width * share, 4);
  }

  private blowsOf(id: bigint, x: number, y: number, now: number): void {
    for (const b of this.blows) {
      const age = (now - b.at) / BLOW_TIME;
      if (b.id !== id || age > 1) continue;
      const rise = this.still.matches ? 0 : 22 * age;
      this.text(`−${b.lost}`, x + 14, y - rise, this.palette.danger, 14);
    }
  }

  private text(s: string, x: number, y: number, colour: string, size: number): void {
    const c = this.context;
    c.font = `600 ${size}px system-ui, sans-serif`;
    c.textAlign = "center";
    c.lineJoin = "round";
    c.lineWidth = 4;
    c.strokeStyle = this.palette.ground;
    c.strokeText(s, x, y);
    c.fillStyle = colour;
    c.fillText(s, x, y);
  }

  private stick(s: Stick): void {
    const c = this.context;
    c.beginPath();
    c.arc(s.fromX, s.fromY, STICK_REACH, 0, 2 * Math.PI);
    c.strokeStyle = this.palette.muted;
    c.lineWidth = 2;
    c.stroke();
    const d = Math.hypot(s.x - s.fromX, s.y - s.fromY);
    const k = d > STICK_REACH ? STICK_REACH / d : 1;
    c.globalAlpha = 0.6;
    this.disc(s.fromX + (s.x - s.fromX) * k, s.fromY + (s.y - s.fromY) * k, 24, this.palette.muted);
    c.globalAlpha = 1;
  }
}

/** Portals of the reference world are known by their numbers: their kind may be another thing in another world. */
function isPortal(e: Readonly<Entity>): boolean {
  return e.id >> PORTAL_BIT === 1n && e.kind === 0 && e.level > 0;
}

/** Returns a number that looks random for each cell of the ground, and is always the same. */
function scatter(i: number, j: number): number {
  let n = Math.imul(i, 0x1f1f1f1f) ^ Math.imul(j, 0x5bd1e995);
  n = Math.imul(n ^ (n >>> 15), 0x2c1b3c6d);
  return (n ^ (n >>> 12)) >>> 0;
}
