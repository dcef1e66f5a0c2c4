// The form in front of the world.

import { enter, Refusal, type Session } from "./api.ts";
import { authenticate, type Wait } from "./login.ts";
import { element, say, setText } from "./page.ts";
import { failure, waiting } from "./words.ts";

type Kind = "login" | "register";

export class Door {
  private readonly form = element<HTMLFormElement>("credentials");
  private readonly username = element<HTMLInputElement>("username");
  private readonly password = element<HTMLInputElement>("password");
  private readonly status = element("status");
  private readonly cancel = element("cancel");
  private readonly takeover = element("takeover");
  private readonly elsewhere = element<HTMLAnchorElement>("elsewhere");
  private readonly buttons = [element<HTMLButtonElement>("login"), element<HTMLButtonElement>("register")];
  private attempt: AbortController | null = null;
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

  private async knock(kind: Kind, takeover = false): Promise<void> {
    if (this.attempt) return;
    const attempt = (this.attempt = new AbortController());
    this.busy(true);
    this.show(kind === "login" ? "Logging in…" : "Creating your account…");
    // Tells password managers what they see.
    this.password.autocomplete = kind === "register" ? "new-password" : "current-password";
    const username = this.username.value;
    try {
      const session = await authenticate(
        { send: (c, signal) => enter(kind, c, signal), onWait: (w) => this.wait(w, takeover), signal: attempt.signal },
        { username, password: this.password.value, ...(takeover ? { takeover } : {}) },
      );
      this.password.value = "";
      this.show("");
      this.onEnter(session, username);
    } catch (err) {
      this.refused(attempt.signal.aborted ? null : err);
    } finally {
      this.attempt = null;
      this.busy(false);
    }
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

  /** Says why an attempt did not succeed; null: the player has given it up. */
  private refused(err: unknown): void {
    this.show(err === null ? "Cancelled." : failure(err), err !== null);
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
