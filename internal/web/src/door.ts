// The door in front of the world: the form, the line that a player may have to wait in, and the welcome of a player who
// needs neither.

import { call, enter, lineDocument, me, Refusal, type Credentials, type Session, type ShownTry } from "./api.ts";
import { sleep } from "./backoff.ts";
import { Sign } from "./closed.ts";
import type { Device } from "./device.ts";
import { deviceLabel } from "./label.ts";
import { LineView } from "./lineview.ts";
import { authenticate, type Attempt, type Wait } from "./login.ts";
import { element, hasOpaque, load, say, setText } from "./page.ts";
import { forgetPlace, hasPlayed, keepPlace, keptPlace, notePlayed } from "./stored.ts";
import { InLine, newPlace, type Kind, type Place } from "./turn.ts";
import { Welcome } from "./welcome.ts";
import {
  ASKING, comeBackFailure, ENDING_OTHER, failure, INTRO, lost, NOT_THE_SAME, turnCame, TYPE_CODE, waiting, WRONG_CODE,
} from "./words.ts";

const PLACE_KEPT = " Your turn is kept for a few minutes.";

/** What of the door is to be seen. At first it is nothing: whom the page logs in by itself is not to see a form. */
type Face = "" | "form" | "line" | "welcome" | "recovery";

/** A way in without a name: what is shown to the node in place of one and a password. */
export interface By {
  /** Where it is shown, below /v1/. */
  path: "passkey" | "guest" | "identity";
  /** What the player reads meanwhile, and if what was shown is not good. */
  text: string;
  wrong: string;
  /** Returns what is shown, or null if the player does not want to. */
  show(signal: AbortSignal): Promise<object | null>;
}

export class Door {
  private readonly form = element<HTMLFormElement>("credentials");
  private readonly username = element<HTMLInputElement>("username");
  private readonly password = element<HTMLInputElement>("password");
  private readonly repeat = element<HTMLInputElement>("repeat");
  private readonly code = element<HTMLInputElement>("code");
  private readonly reveal = element("reveal");
  private readonly remember = element<HTMLInputElement>("remember");
  private readonly status = element("status");
  private readonly cancel = element("cancel");
  private readonly takeover = element("takeover");
  private readonly again = element("again");
  private readonly elsewhere = element<HTMLAnchorElement>("elsewhere");
  private readonly appeal = element<HTMLAnchorElement>("appeal");
  private readonly others = element("others");
  private readonly sign = new Sign(() => this.opened?.abort());
  private readonly ways: Record<Kind, HTMLButtonElement> = { login: element("login"), register: element("register") };
  private readonly view = new LineView(() => this.attempt?.abort());
  private readonly welcome = new Welcome(() => this.attempt?.abort());
  private face: Face = "";
  private kind: Kind = "login"; // what the form is for, and Enter does
  private attempt: AbortController | null = null;
  private line: InLine | null = null;
  private nap: AbortController | null = null;
  private opened: AbortController | null = null; // of a nap in front of doors that are not open to everybody
  private readonly recovery = element("recovery");
  private countdown = 0;
  private byItself = false; // the last attempt was one without a password
  private by: By | null = null; // of the last attempt, if it was without a name
  private shown: object | null = null; // by that

  /** onEnter is called with the session and the name that was typed. */
  constructor(private readonly device: Device, private readonly onEnter: (s: Session, name: string) => void) {
    this.form.addEventListener("submit", (e) => {
      e.preventDefault();
      void (this.by && !this.code.disabled ? this.knockBy(this.by, true) : this.knock(this.kind));
    });
    for (const kind of ["login", "register"] as const) {
      this.ways[kind].addEventListener("click", () => kind !== this.kind && this.instead(kind));
    }
    this.username.addEventListener("input", () => this.askCode(false));
    // What fills in a password by itself makes no slip of the keys, and often knows one field only.
    this.password.addEventListener("input", (e) => e.isTrusted || (this.repeat.value = this.password.value));
    this.reveal.addEventListener("click", () => this.disclose(this.password.type === "password"));
    this.takeover.addEventListener("click", () => {
      if (this.byItself) void this.comeBack({ takeover: true });
      else if (this.by) void this.knockBy(this.by, true, true);
      else if (this.form.reportValidity()) void this.knock("login", true);
    });
    this.again.addEventListener("click", () => void this.comeBack());
    element("forgot").addEventListener("click", () => void this.recover());
    this.cancel.addEventListener("click", () => this.attempt?.abort());
    this.remember.checked = Boolean(device.name) || !hasPlayed();
    this.turn(hasPlayed() || device.name ? "login" : "register");
    element("remember-row").hidden = !device.usable;
    // Without this script the form must not be sent, and not before all is in its place that can be pressed.
    const { others, passkeys } = element("app").dataset;
    const offered = others || passkeys?.includes(location.origin)
      ? load<typeof import("./others.ts")>(this.others).then(
        ({ offer }) => offer(this.others, (by) => void this.knockBy(by)))
      : Promise.resolve();
    void offered.catch(() => undefined).then(() => Object.values(this.ways).forEach((b) => b.disabled = false));
  }

  /** Shows why the player is outside, and waits for them. */
  open(message = "", isError = false): void {
    this.leaveLine(message, isError);
    void this.sign.watch();
    (this.username.value ? this.password : this.username).focus();
  }

  /** Has the form be for something: a first visitor is to register, any other to log in. */
  private turn(kind: Kind): void {
    this.kind = kind;
    const other = kind === "login" ? "register" : "login";
    this.ways[kind].type = "submit"; // also what Enter presses, and looks like that
    this.ways[other].type = "button";
    this.ways[kind].after(this.ways[other]); // not the other way round: what is moved loses the keyboard
    element("repeat-row").hidden = this.repeat.disabled = kind === "login";
    element("forgot").hidden = kind === "register";
    this.repeat.value = "";
    if (kind === "register") this.askCode(false);
    setText(element("intro"), INTRO[kind]);
    // Tells password managers what they see.
    this.password.autocomplete = kind === "register" ? "new-password" : "current-password";
  }

  /** Has the form ask for a code of the account's second factor, or not. */
  private askCode(yes: boolean): void {
    element("code-row").hidden = this.code.disabled = !yes;
    this.username.required = this.password.required = !(yes && this.by);
    if (!yes) this.code.value = "";
  }

  /** Does the other thing that the form can be for: at once if all is there that it needs. */
  private instead(kind: Kind): void {
    if (this.attempt) return;
    this.turn(kind);
    const empty = [this.username, this.password, this.repeat].find((f) => !f.value && !f.disabled);
    if (!empty) return void this.knock(kind);
    this.show("");
    empty.focus();
  }

  /** Shows what is typed as the password, or dots in its place. */
  private disclose(yes: boolean): void {
    this.password.type = this.repeat.type = yes ? "text" : "password";
    this.reveal.ariaPressed = String(yes);
    setText(this.reveal, yes ? "Hide" : "Show");
  }

  /** Takes up a wait that a reload has interrupted. The password is asked for when the turn has come. */
  async resume(): Promise<void> {
    const place = keptPlace();
    if (!place || this.attempt) return;
    const { signal } = (this.attempt = new AbortController());
    this.username.value = place.name;
    this.turn(place.kind);
    try {
      const line = this.inLine(place, signal, false);
      this.stand(place, false);
      await line.turn();
      this.leaveLine(turnCame(place.kind), false, true);
    } catch (err) {
      this.refused(signal.aborted ? null : err);
    } finally {
      this.attempt = this.line = null;
    }
  }

  /**
   * Logs the player in without a password, if this is their device. note says why, pause is how long to wait before
   * that, in ms.
   */
  async comeBack({ takeover = false, note = "", pause = 0 } = {}): Promise<void> {
    const { name } = this.device;
    if (!name || this.attempt) return;
    const { signal } = (this.attempt = new AbortController());
    this.byItself = true;
    this.username.value = name;
    this.look("welcome");
    this.welcome.begin(name, takeover ? ENDING_OTHER : note);
    try {
      await sleep(pause, signal);
      await this.enter(
        {
          send: (_, signal) => this.device.resume(takeover, signal), signal, retries: Infinity,
          onWait: (w) => {
            this.nap = w.reason ? null : new AbortController(); // no earlier than a server asks for
            this.opened = w.shut ? new AbortController() : null;
            if (!takeover || w.retry > 1) this.welcome.tell(counting(w));
          },
          sleep: (ms, signal) => this.rest(ms, signal),
        }, {}, name);
    } catch (err) {
      this.refused(signal.aborted ? null : err);
    } finally {
      this.attempt = null;
    }
  }

  /** Waits, until hurry is called if that may be, or the doors are open. */
  private async rest(ms: number, signal: AbortSignal): Promise<void> {
    const ends = [this.nap, this.opened].flatMap((c) => c ? [c.signal] : []);
    try {
      await sleep(ms, AbortSignal.any([signal, ...ends]));
    } catch {
      signal.throwIfAborted();
    } finally {
      this.nap = this.opened = null;
    }
  }

  /** Has the player choose another password for one that is lost. */
  private async recover(): Promise<void> {
    if (this.attempt) return;
    try {
      const { Recovery } = await load<typeof import("./recovery/recovery.ts")>(this.recovery);
      if (this.attempt) return;
      const back = (name: string, said = ""): void => {
        this.username.value = name;
        this.open(said);
      };
      const recovery = new Recovery(this.recovery, back);
      this.look("recovery");
      recovery.open(this.username.value);
    } catch {
      this.show("This cannot be loaded. Please check your connection.", true);
    }
  }

  /** Tries at once if the server was away. */
  hurry(): void {
    this.line?.hurry();
    this.nap?.abort();
  }

  private async knock(kind: Kind, takeover = false): Promise<void> {
    if (this.attempt) return;
    if (kind === "register" && this.repeat.value !== this.password.value) {
      this.show(NOT_THE_SAME, true);
      return choose(this.repeat);
    }
    this.by = null;
    this.disclose(false);
    const name = this.username.value;
    await this.coming(kind === "login" ? "Logging in…" : "Creating your account…", async (signal, c) => {
      const line = this.inLine({ ...(keptPlace() ?? newPlace()), kind, name }, signal, true);
      await this.enter(
        {
          send: this.sender(kind, c), signal, line, sleep: (ms, signal) => this.rest(ms, signal),
          onWait: (w) => {
            this.opened = w.shut ? new AbortController() : null;
            this.wait(w, takeover);
          },
          onWork: () => this.show(ASKING),
        },
        {
          username: name, password: this.password.value, ...(takeover ? { takeover } : {}),
          ...(this.code.value ? { code: this.code.value } : {}), ...c,
        }, name, (s) => this.keepDevice(c.remember && s.remembered ? name : ""));
    });
  }

  /** Logs the player in by something else than a name; again: by what was shown last. */
  private async knockBy(by: By, again = false, takeover = false): Promise<void> {
    if (this.attempt) return;
    this.by = by;
    await this.coming(by.text, async (signal, c) => {
      if (!again) this.shown = await by.show(signal);
      if (!this.shown) return this.refused(null);
      await this.enter(
        { send: this.sender(by.path, c), signal, onWait: (w) => this.wait(w, takeover) },
        {
          ...this.shown, ...(takeover ? { takeover } : {}), ...(this.code.value ? { code: this.code.value } : {}), ...c,
        }, "",
        (s) => {
          if (!c.remember || !s.remembered) return this.keepDevice("");
          me(s.token).then(({ name }) => this.keepDevice(name), () => this.keepDevice(""));
        }).catch((err: unknown) => {
          if (!(err instanceof Refusal) || err.reason !== "bad-credentials") throw err;
          this.leaveLine(by.wrong, true);
        });
    });
  }

  /** Has the player come in by what was typed or chosen. f is told whether the device is to be remembered. */
  private async coming(
    text: string, f: (signal: AbortSignal, c: { remember?: string }) => Promise<void>,
  ): Promise<void> {
    const { signal } = (this.attempt = new AbortController());
    this.byItself = false;
    this.busy(true);
    this.show(text);
    try {
      await f(signal, this.device.usable && this.remember.checked ? { remember: deviceLabel(navigator) } : {});
    } catch (err) {
      this.refused(signal.aborted ? null : err);
    } finally {
      this.attempt = this.line = null;
      this.busy(false);
    }
  }

  /** Returns what sends a request once; one whose answer changes the cookie does so while no other tab does. */
  private sender(kind: Kind | By["path"], { remember }: { remember?: string }) {
    return (c: Credentials | ShownTry, signal: AbortSignal): Promise<Session> => {
      const send = async (): Promise<Session> => {
        if (kind !== "login" && kind !== "register" || !hasOpaque()) return enter(kind, c, signal);
        const code = await load<typeof import("./opaque/opaque.ts")>(this.status);
        return code.enter(kind, c as Credentials, signal, { call, enter, Refusal, tell: (text) => this.show(text) });
      };
      return remember ? this.device.alone(signal, send) : send();
    };
  }

  /** Opens a session and lets the player in. then is called as soon as there is one. */
  private async enter<C>(
    a: Attempt<C>, c: C, name: string, then = (_: Session): void => undefined,
  ): Promise<void> {
    const session = await authenticate({ ...a, onDoors: (shut) => this.sign.show(shut) }, c);
    then(session);
    this.sign.show(null);
    notePlayed();
    forgetPlace();
    this.password.value = "";
    this.askCode(false);
    this.turn("login");
    this.leaveLine("");
    this.onEnter(session, name);
  }

  /** Has the player stay logged in on this device, or not: as the box says, and the server. */
  private keepDevice(name: string): void {
    if (name) this.device.remember(name);
    else if (this.device.name || this.device.leaving) this.device.leave().catch(() => undefined); // or at the next loading
  }

  private inLine(place: Place, signal: AbortSignal, byItself: boolean): InLine {
    return (this.line = new InLine(place, { document: lineDocument, signal }, {
      onChange: (p) => {
        keepPlace(p);
        this.stand(p, byItself);
      },
      onPlace: (v) => this.view.show(v),
      onLost: (why) => this.view.tell(lost(why)),
      onAway: (why, delay) => this.view.away(why, delay),
      onTurn: () => this.view.turn(),
    }));
  }

  /** Shows the line in place of whatever else there is. */
  private stand(p: Place, byItself: boolean): void {
    if (this.face !== "line") this.view.begin(p, byItself);
    this.look("line");
  }

  private look(face: Face): void {
    if (face !== "line") this.view.end(false);
    if (face !== "welcome") this.welcome.end();
    this.form.hidden = face !== "form";
    this.recovery.hidden = face !== "recovery";
    this.face = face;
  }

  /** Shows the form again, and why. */
  private leaveLine(message: string, isError = false, turn = false): void {
    const waited = this.face === "line" || this.face === "welcome";
    this.look("form");
    this.view.end(turn);
    this.show(message, isError);
    this.offer();
    if (waited) this.password.focus();
  }

  /** Offers to come in without a password, if that is possible. */
  private offer(): void {
    const { name } = this.device;
    this.again.hidden = !name;
    setText(this.again, `Continue as ${name}`);
  }

  private busy(on: boolean): void {
    clearInterval(this.countdown);
    // They are not disabled, or the one that was pressed would lose the keyboard.
    for (const b of this.form.querySelectorAll("#ways>*,#others>*")) b.ariaDisabled = String(on);
    const focused = document.activeElement;
    this.cancel.hidden = !on;
    if (on) {
      this.takeover.hidden = this.again.hidden = this.elsewhere.hidden = this.appeal.hidden = true;
      if (focused === this.takeover || focused === this.again) this.status.focus(); // they are gone
    } else if (focused === this.cancel || focused === this.status) {
      this.password.focus();
    }
  }

  /** Counts down a pause before another try. */
  private wait(w: Wait, takeover: boolean): void {
    clearInterval(this.countdown);
    if (takeover && w.retry === 1) return this.show(ENDING_OTHER); // the node has to save it first
    this.show(waiting(w, w.delay));
    const text = counting(w);
    this.countdown = setInterval(() => setText(this.status, text()), 200);
  }

  /** Says why an attempt did not succeed; null: the player has given it up, and the place in the line with it. */
  private refused(err: unknown): void {
    const { face } = this;
    void this.sign.watch();
    this.appeal.hidden = true;
    if (err === null) {
      if (face === "line") forgetPlace();
      return this.leaveLine(face === "line" ? "You have left the line." : face === "form" ? "Cancelled." : "");
    }
    const asksCode = err instanceof Refusal && err.reason === "second-factor";
    const first = asksCode && !this.code.value;
    const why = asksCode ? first ? TYPE_CODE : WRONG_CODE : this.byItself ? comeBackFailure(err) : failure(err);
    this.leaveLine(why + (keptPlace() ? PLACE_KEPT : ""), !first);
    if (!(err instanceof Refusal)) return;
    if (asksCode) {
      this.askCode(true);
      choose(this.code);
    } else if (err.reason === "already-logged-in") {
      this.takeover.hidden = false;
      this.again.hidden = true; // it would come to the same
      if (this.byItself) this.takeover.focus();
    } else if (err.reason === "wrong-zone") {
      const url = pageAt(err.address);
      if (url) this.elsewhere.href = url;
      this.elsewhere.hidden = !url;
    } else if (err.reason === "account-disabled") {
      this.appeal.href = err.appeal;
      this.appeal.hidden = !err.appeal;
    } else if (err.reason === "bad-credentials") {
      choose(this.password);
    } else if (err.reason === "username-taken") {
      choose(this.username);
    }
  }

  private show(message: string, isError = false): void {
    clearInterval(this.countdown);
    setText(this.status, message);
    this.status.dataset["kind"] = isError ? "error" : "";
    say(message);
  }
}

/** Goes to a field that is to be filled in anew. */
function choose(field: HTMLInputElement): void {
  field.focus();
  field.select();
}

/** Returns what to show during a pause, as time passes. */
function counting(w: Wait): () => string {
  const until = performance.now() + w.delay;
  return () => waiting(w, until - performance.now());
}

/** Returns where this page is on another node, or an empty string if its address makes no sense. */
export function pageAt(address: string): string {
  if (!/^[\w.\-:[\]]{3,261}$/.test(address)) return "";
  try {
    return new URL(`${location.protocol}//${address}${location.pathname}`).href;
  } catch {
    return "";
  }
}
