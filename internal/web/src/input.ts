// What the player does with keyboard, mouse, pen and fingers.

export interface Direction {
  x: number;
  y: number;
}

/** A touch that steers: where it began and where it is, in CSS pixels of the canvas. */
export interface Stick {
  fromX: number;
  fromY: number;
  x: number;
  y: number;
}

/** How far a finger goes for full speed, in CSS pixels. */
export const STICK_REACH = 56;
/** Closer to the player a pointer, and closer to its origin a finger, means standing still; in CSS pixels. */
const DEAD_ZONE = 10;

const KEYS: Record<string, [number, number]> = {
  KeyW: [0, -1], ArrowUp: [0, -1],
  KeyS: [0, 1], ArrowDown: [0, 1],
  KeyA: [-1, 0], ArrowLeft: [-1, 0],
  KeyD: [1, 0], ArrowRight: [1, 0],
};

export class Input {
  /** The finger that steers, to be drawn. */
  stick: Stick | null = null;
  private readonly keys = new Set<string>();
  private attackKey = false;
  private attackButton = false;
  private mouse: Direction | null = null;
  private pointer = -1;
  private enabled = false;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly button: HTMLElement,
    private readonly onChange: () => void,
  ) {
    addEventListener("keydown", (e) => this.key(e, true));
    addEventListener("keyup", (e) => this.key(e, false));
    addEventListener("blur", () => this.release());
    document.addEventListener("visibilitychange", () => this.release());
    canvas.addEventListener("pointerdown", (e) => this.down(e));
    canvas.addEventListener("pointermove", (e) => this.move(e));
    for (const type of ["pointerup", "pointercancel", "lostpointercapture"] as const) {
      canvas.addEventListener(type, (e) => this.up(e));
      button.addEventListener(type, () => this.attack(false));
    }
    // Safari's own zoom, which heeds no style.
    document.addEventListener("gesturestart", (e) => this.enabled && e.preventDefault());
    canvas.addEventListener("contextmenu", (e) => e.preventDefault());
    button.addEventListener("contextmenu", (e) => e.preventDefault());
    button.addEventListener("pointerdown", (e) => {
      button.setPointerCapture(e.pointerId);
      this.attack(true);
    });
  }

  /** Begins or ends to listen. */
  enable(on: boolean): void {
    this.enabled = on;
    this.release();
  }

  /** Lets everything go. */
  release(): void {
    this.keys.clear();
    this.attackKey = this.attackButton = false;
    this.mouse = this.stick = null;
    this.pointer = -1;
    this.onChange();
  }

  /** Whether the player attacks. */
  get attacking(): boolean {
    return this.attackKey || this.attackButton;
  }

  /** Where the player wants to go, at most 1 long. Keys come before pointers. */
  get direction(): Direction {
    let x = 0;
    let y = 0;
    for (const code of this.keys) {
      const [dx, dy] = KEYS[code] ?? [0, 0];
      x += dx;
      y += dy;
    }
    x = Math.sign(x);
    y = Math.sign(y);
    if (x || y) return { x: x / Math.hypot(x, y), y: y / Math.hypot(x, y) };
    if (this.stick) {
      return towards(this.stick.x - this.stick.fromX, this.stick.y - this.stick.fromY, STICK_REACH);
    }
    return this.mouse ? towards(this.mouse.x, this.mouse.y, 4 * DEAD_ZONE) : { x: 0, y: 0 };
  }

  private key(e: KeyboardEvent, down: boolean): void {
    if (!this.enabled || (down && (e.ctrlKey || e.metaKey || e.altKey))) return;
    // Keys go on working where they have a meaning of their own, as in buttons.
    const target = e.target instanceof HTMLElement ? e.target : null;
    const own = target?.closest("button, a, input, [role=tablist]");
    if (e.code in KEYS) {
      if (down && own?.matches("input, [role=tablist], [role=tab]")) return;
      if (down) this.keys.add(e.code);
      else this.keys.delete(e.code);
    } else if (e.code === "Space") {
      if (down && own && own !== this.button) return;
      this.attackKey = down;
    } else {
      return;
    }
    if (down) e.preventDefault();
    this.onChange();
  }

  private attack(on: boolean): void {
    this.attackButton = on && this.enabled;
    this.onChange();
  }

  private down(e: PointerEvent): void {
    if (!this.enabled || this.pointer >= 0 || e.button > 0) return;
    this.pointer = e.pointerId;
    this.canvas.setPointerCapture(e.pointerId);
    if (e.pointerType === "touch") {
      this.stick = { fromX: e.offsetX, fromY: e.offsetY, x: e.offsetX, y: e.offsetY };
    }
    this.move(e);
  }

  private move(e: PointerEvent): void {
    if (e.pointerId !== this.pointer) return;
    if (this.stick) {
      this.stick.x = e.offsetX;
      this.stick.y = e.offsetY;
    } else { // the player is in the middle
      this.mouse = { x: e.offsetX - this.canvas.clientWidth / 2, y: e.offsetY - this.canvas.clientHeight / 2 };
    }
    this.onChange();
  }

  private up(e: PointerEvent): void {
    if (e.pointerId !== this.pointer) return;
    this.pointer = -1;
    this.mouse = this.stick = null;
    this.onChange();
  }
}

/** Returns the direction of a vector, 1 long from a reach on. */
export function towards(dx: number, dy: number, reach: number): Direction {
  const d = Math.hypot(dx, dy);
  if (d < DEAD_ZONE) return { x: 0, y: 0 };
  const k = Math.min(d / reach, 1) / d;
  return { x: dx * k, y: dy * k };
}
