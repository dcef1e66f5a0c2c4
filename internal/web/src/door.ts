// The form in front of the world, and the line that a player may have to wait in.

import { enter, lineDocument, Refusal, type Session } from "./api.ts";
import { LineView } from "./lineview.ts";
import { authenticate, type Wait } from "./login.ts";
import { element, say, setText } from "./page.ts";
import { forgetPlace, keepPlace, keptPlace } from "./stored.ts";
import { InLine, newPlace, type Kind, type Place } from "./turn.ts";
import { ASKING, failure, lost, turnCame, waiting } from "./words.ts";

const PLACE_KEPT = " Your turn is kept for a few minutes.";

export class Door {
  private readonly form = element<HTMLFormElement>("credentials");
  private readonly username = element<HTMLInputElement>("username");
  private readonly password = element<HTMLInputElement>("password");
  private readonly status = element("status");
  private readonly cancel = element("cancel");
  private readonly takeover = element("takeover");
  private readonly elsewhere = element<HTMLAnchorElement>("elsewhere");
  private readonly buttons = [element<HTMLButtonElement>("login"), element<HTMLButtonElement>("register")];
  private readonly view = new LineView(() => this.attempt?.abort());
  private attempt: AbortController | null = null;
  private line: InLine | null = null;
  private countdown = 0;

  /** onEnter is called with the session and the name that was typed. */
  constructor(private readonly onEnter: (s: Session, name: string) => void) {
    this.form.addEventListener("submit", (e) => {
      e.preventDefault();
      void this.knock("login");
    });
    element("register").addEventListener("click", () => {
      if (this.form.reportValidity()) void this.knock("register");
    });
    this.takeover.addEventListener("click", () => {
      if (this.form.reportValidity()) void this.knock("login", true);
    });
    this.cancel.addEventListener("click", () => this.attempt?.abort());
    for (const b of this.buttons) b.disabled = false; // without this script the form must not be sent
  }

  /** Shows why the player is outside, and waits for them. */
  open(message = "", isError = false): void {
    this.show(message, isError);
    (this.username.value ? this.password : this.username).focus();
  }

  /** Takes up a wait that a reload has interrupted. The password is asked for when the turn has come. */
  async resume(): Promise<void> {
    const place = keptPlace();
    if (!place || this.attempt) return;
    const { signal } = (this.attempt = new AbortController());
    this.username.value = place.name;
    try {
      const line = this.inLine(place, signal);
      this.stand(place, false);
      await line.turn();
      this.leaveLine(turnCame(place.kind), false, true);
    } catch (err) {
      this.refused(signal.aborted ? null : err);
    } finally {
      this.attempt = this.line = null;
    }
  }

  /** Tries at once if the server was away. */
  hurry(): void {
    this.line?.hurry();
  }

  private async knock(kind: Kind, takeover = false): Promise<void> {
    if (this.attempt) return;
    const { signal } = (this.attempt = new AbortController());
    this.busy(true);
    this.show(kind === "login" ? "Logging in…" : "Creating your account…");
    // Tells password managers what they see.
    this.password.autocomplete = kind === "register" ? "new-password" : "current-password";
    const name = this.username.value;
    const line = this.inLine({ ...(keptPlace() ?? newPlace()), kind, name }, signal);
    try {
      const session = await authenticate(
        {
          send: (c, signal) => enter(kind, c, signal), onWait: (w) => this.wait(w, takeover),
          onWork: () => this.show(ASKING), signal, line,
        },
        { username: name, password: this.password.value, ...(takeover ? { takeover } : {}) },
      );
      forgetPlace();
      this.password.value = "";
      this.leaveLine("");
      this.onEnter(session, name);
    } catch (err) {
      this.refused(signal.aborted ? null : err);
    } finally {
      this.attempt = this.line = null;
      this.busy(false);
    }
  }

  private inLine(place: Place, signal: AbortSignal): InLine {
    return (this.line = new InLine(place, { document: lineDocument, signal }, {
      onChange: (p) => {
        keepPlace(p);
        this.stand(p, true);
      },
      onPlace: (v) => this.view.show(v),
      onLost: (why) => this.view.tell(lost(why)),
      onAway: (why, delay) => this.view.away(why, delay),
      onTurn: () => this.view.turn(),
    }));
  }

  /** Shows the line in place of the form. */
  private stand(p: Place, byItself: boolean): void {
    if (!this.form.hidden) this.view.begin(p, byItself);
    this.form.hidden = true;
  }

  /** Shows the form again, and why. */
  private leaveLine(message: string, isError = false, turn = false): void {
    const waited = this.form.hidden;
    this.form.hidden = false;
    this.view.end(turn);
    this.show(message, isError);
    if (waited) this.password.focus();
  }

  private busy(on: boolean): void {
    clearInterval(this.countdown);
    for (const b of this.buttons) b.disabled = on;
    const focused = document.activeElement === this.cancel;
    this.cancel.hidden = !on;
    if (on) this.takeover.hidden = this.elsewhere.hidden = true;
    else if (focused) this.password.focus();
  }

  /** Counts down a pause before another try. */
  private wait(w: Wait, takeover: boolean): void {
    clearInterval(this.countdown);
    if (takeover && w.retry === 1) return this.show("Ending the other session…"); // the node has to save it first
    const until = performance.now() + w.delay;
    const tick = (): void => setText(this.status, waiting(w, until - performance.now()));
    this.show(waiting(w, w.delay));
    this.countdown = setInterval(tick, 200);
  }

  /** Says why an attempt did not succeed; null: the player has given it up, and the place in the line with it. */
  private refused(err: unknown): void {
    if (err === null) {
      if (this.form.hidden) forgetPlace();
      return this.leaveLine(this.form.hidden ? "You have left the line." : "Cancelled.");
    }
    this.leaveLine(failure(err) + (keptPlace() ? PLACE_KEPT : ""), true);
    if (!(err instanceof Refusal)) return;
    if (err.reason === "already-logged-in") {
      this.takeover.hidden = false;
    } else if (err.reason === "wrong-zone") {
      const url = pageAt(err.address);
      if (url) this.elsewhere.href = url;
      this.elsewhere.hidden = !url;
    } else if (err.reason === "bad-credentials") {
      this.password.select();
    }
  }

  private show(message: string, isError = false): void {
    clearInterval(this.countdown);
    setText(this.status, message);
    this.status.dataset["kind"] = isError ? "error" : "";
    say(message);
  }
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
