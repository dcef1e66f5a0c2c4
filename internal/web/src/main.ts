// The page: outside at the door, or inside the game.

import { AccountPage } from "./accountpage.ts";
import { logout, Refusal, type Session } from "./api.ts";
import type { Trouble } from "./channel.ts";
import type { Ending } from "./closing.ts";
import { Device } from "./device.ts";
import { Door } from "./door.ts";
import { Painter } from "./draw.ts";
import { Game } from "./game.ts";
import { Hud } from "./hud.ts";
import { Input } from "./input.ts";
import { Overlay } from "./overlay.ts";
import { element } from "./page.ts";
import { Shelf } from "./shelf.ts";
import { forgetSession, keepSession, keptSession } from "./stored.ts";
import { failure, restarting, trying } from "./words.ts";

const LOGOUT_UNKNOWN = "The server did not confirm the logout. Your session ends by itself within half a minute.";

type State = "signed-out" | "connecting" | "playing" | "replaced";

const app = element("app");
const canvas = element<HTMLCanvasElement>("world");
const attack = element("attack");
const overlay = new Overlay();
const resume = element<HTMLButtonElement>("resume");
const leave = element<HTMLButtonElement>("leave");
const logoutButton = element<HTMLButtonElement>("logout");

const painter = new Painter(canvas);
const hud = new Hud();
const boards = new Shelf();
const device = new Device();
const door = new Door(device, (session, name) => {
  keepSession(session);
  play(session, name);
  if (session.deleteAt) void account.warn(session.deleteAt);
});
const input = new Input(canvas, attack, () => {
  attack.dataset["on"] = String(input.attacking);
  element("stick").hidden = Boolean(input.stick);
  game?.steer();
});

const account = new AccountPage({
  get token() { return session?.token ?? ""; }, device, ending, signOut,
  goOn: (s) => {
    keepSession(s);
    session = s;
    connect(s);
  },
  leave: () => endSession(true),
  tell: (text) => hud.tell(text),
}, () => arrange());

let game: Game | null = null;
let session: Session | null = null;
let seen = false; // something of the world, since the login
let lostAt = 0; // or when the page began to connect
let held: Ending | "" | null = null; // how the session has ended, "" if it has not, while an end is not acted upon
let inVain = false; // the last session was opened without a password, and has shown nothing of the world

/** The pause after a session that ended while it was played, in ms. It may have made room for a login elsewhere. */
const MAKE_ROOM = 3_000;

function show(state: State, text = "", note?: () => string): void {
  app.dataset["state"] = state;
  resume.hidden = state !== "replaced";
  if (text) overlay.show(text, note);
  else overlay.hide();
  if (state === "replaced" || state === "signed-out") account.close();
  arrange();
}

/** Gives keyboard and pointers to what lies on top: the account page, what is over the world, or the world. */
function arrange(): void {
  const state = app.dataset["state"], covered = account.isOpen;
  const under = covered || state === "connecting" || state === "replaced";
  for (const e of [canvas, attack, element("menu")]) e.inert = under;
  for (const id of ["hud", "notice", "overlay"]) element(id).inert = covered;
  app.dataset["account"] = covered ? "open" : "";
  input.enable(state === "playing" && !covered);
  canvas.tabIndex = state === "playing" ? 0 : -1;
  if (covered) return;
  if (state === "playing") canvas.focus({ preventScroll: true });
  else if (state === "replaced") resume.focus();
  else if (state === "connecting") overlay.focus();
}

function play(s: Session, name: string): void {
  session = s;
  seen = false;
  hud.reset(name);
  boards.start(s.playerID);
  connect(s);
  account.look();
}

function connect(s: Session): void {
  if (held) held = ""; // that was another one
  game?.stop();
  game = new Game(s, canvas, painter, hud, input, { onConnected, onEnd });
  cancelAnimationFrame(frame);
  paint();
}

function onConnected(yes: boolean, trouble?: Trouble): void {
  if (!session) return;
  seen ||= yes;
  if (yes) {
    inVain = false;
    return show("playing");
  }
  const now = performance.now(), until = now + (trouble?.next ?? 0);
  if (app.dataset["state"] !== "connecting") lostAt = now;
  const what = trouble?.restart ? restarting(now - lostAt) : seen ? "Reconnecting…" : "Connecting…";
  show("connecting", what, () => trying(until - performance.now(), performance.now() - lostAt));
}

function onEnd(why: Ending): void {
  if (held !== null) {
    held = why;
    return;
  }
  switch (why) {
    case "no-session":
    case "session-ended":
      return over(why === "no-session" ? 0 : MAKE_ROOM * (1 + Math.random()));
    case "elsewhere":
      return signOut(failure(new Refusal("wrong-zone")), true);
    case "incompatible":
      return signOut("This page and the server do not understand each other. Please reload the page.", true);
    case "refused":
      return signOut(`The server does not let pages of ${location.origin} play. Whoever runs it has to allow this address, `
        + "or to correct the proxy in front of it.", true);
    case "lost":
      return signOut("The connection was lost. Please log in again.", true);
    case "replaced":
      return show("replaced", "You are playing in another tab or window.");
  }
}

/** Calls f, and acts upon an end of the session after that, unless the player has another one or is out by then. */
async function ending<T>(f: () => Promise<T>): Promise<T> {
  held = "";
  try {
    return await f();
  } finally {
    const why = held;
    held = null;
    if (why && session) onEnd(why);
  }
}

/** Goes on after the end of a session: with another after so many ms, if the device is the player's, or at the door. */
function over(pause: number): void {
  if (!device.name || inVain) {
    return signOut("Your session has ended, perhaps because you logged in elsewhere. Please log in again.", true);
  }
  leaveWorld();
  inVain = true;
  void door.comeBack({ note: "Your session has ended.", pause });
}

/** Goes back to the door. */
function signOut(message: string, isError = false): void {
  leaveWorld();
  door.open(message, isError);
}

function leaveWorld(): void {
  session = null;
  game?.stop();
  game = null;
  forgetSession();
  boards.stop();
  element("notice").hidden = true;
  show("signed-out");
  painter.blank();
}

/** Ends the session, which then need not wait for the end of its time, and has the device forgotten. */
async function endSession(known = Boolean(device.name)): Promise<void> {
  const token = session?.token;
  if (!token) return;
  logoutButton.disabled = true;
  session = null;
  account.close();
  game?.stop();
  show("connecting", "Logging out…");
  try {
    await (known ? device.leave(token) : logout(token));
    signOut("You have logged out.");
  } catch (err) {
    const over = err instanceof Refusal && err.reason === "bad-credentials";
    signOut(over ? "You have logged out." : LOGOUT_UNKNOWN, !over);
  } finally {
    logoutButton.disabled = false;
  }
}

let frame = 0;
function paint(): void {
  if (!game) return;
  game.paint(performance.now());
  frame = requestAnimationFrame(paint);
}

logoutButton.addEventListener("click", () => void endSession());
resume.addEventListener("click", () => session && connect(session));
leave.addEventListener("click", () => {
  if (app.dataset["state"] === "replaced") signOut("");
  else void endSession();
});
addEventListener("online", () => {
  game?.wake();
  door.hurry();
});
addEventListener("pageshow", () => game?.wake());
addEventListener("visibilitychange", () => void (document.visibilityState === "visible" && game?.wake()));
addEventListener("resize", () => game ?? painter.blank());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => game ?? painter.blank());

function begin(): void {
  if (device.leaving) device.leave().catch(() => undefined); // the next loading of the page tells it again
  const kept = keptSession();
  if (kept) return play(kept, "");
  if (device.name) {
    leaveWorld();
    inVain = true;
    return void door.comeBack();
  }
  signOut("");
  void door.resume();
}

// A page that the browser loads in advance, on a guess, is not to enter the world.
const guessed = (document as { prerendering?: boolean }).prerendering;
if (guessed) document.addEventListener("prerenderingchange", begin, { once: true });
else begin();
