// A form: its fields, its button, and what becomes of what is sent.

import { Refusal } from "../api.ts";
import { jitter, sleep } from "../backoff.ts";
import { MAX_RETRIES, type Wait } from "../login.ts";
import { waiting } from "../words.ts";
import { button, make } from "./make.ts";
import type { Result } from "./result.ts";

/** The longest pause that a server can impose, in ms. Asked for more, the form gives up. */
const MAX_PAUSE = 300_000;

/** What is wrong, and with which field. */
export interface Wrong {
  text: string;
  field?: HTMLInputElement | undefined;
  /** It is only asked for, and nothing is wrong with it yet. */
  asked?: boolean;
}

export interface Plan {
  id: string;
  button: string;
  /** How the button looks. */
  look?: string;
  /** What is said while it goes on. */
  doing: string;
  rows: Node[];
  /** Buttons beside that which sends the form. */
  beside?: HTMLElement[];
  result: Result;
  /** Sends what is typed, and returns what to tell of it, nothing if that has been done. */
  send: () => Promise<string>;
  /** Puts an error into words. */
  wrong: (err: unknown) => Wrong;
}

export class Form {
  readonly root: HTMLFormElement;
  readonly submit: HTMLButtonElement;
  private readonly cancel: HTMLButtonElement;
  private busy = false;
  private pause: AbortController | null = null;
  private proof: AbortController | null = null;
  private marked: HTMLInputElement | undefined;

  constructor(private readonly plan: Plan) {
    this.submit = make("button", { id: plan.id, className: plan.look ?? "primary" }, plan.button);
    this.cancel = button(`${plan.id}-cancel`, "Cancel", () => this.giveUp());
    this.cancel.hidden = true;
    const buttons = make("div", { className: "row" }, ...plan.beside ?? [], this.submit, this.cancel);
    this.root = make("form", { method: "post" }, ...plan.rows, buttons);
    this.root.addEventListener("submit", (e) => {
      e.preventDefault();
      void this.send();
    });
  }

  /** Gives up what has not been sent. */
  giveUp(): void {
    this.pause?.abort();
    this.proof?.abort();
  }

  /** A proof is computed for the form, which the player can give up; null: not any more. */
  readonly computing = (proof: AbortController | null): void => {
    this.proof = proof;
    this.offer(Boolean(proof));
  };

  /** Gives up a wait, and forgets what was said of a field. */
  close(): void {
    this.pause?.abort();
    this.mark(undefined);
  }

  private async send(): Promise<void> {
    if (this.busy) return;
    const { result, doing } = this.plan;
    this.mark(undefined);
    this.busy = true;
    this.submit.ariaDisabled = "true"; // not disabled, or it would lose the keyboard
    result.busy(() => doing);
    try {
      const said = await this.patiently();
      if (said) result.done(said);
    } catch (err) {
      this.failed(err);
    } finally {
      this.busy = false;
      this.submit.ariaDisabled = "false";
    }
  }

  /** Sends the form again while the server is busy, a few times. What was not answered may have been done. */
  private async patiently(): Promise<string> {
    for (let retry = 1; ; retry++) {
      try {
        return await this.plan.send();
      } catch (err) {
        const passes = err instanceof Refusal && (err.reason === "server-busy" || err.reason === "request-expired");
        if (!passes || retry > MAX_RETRIES || err.retryAfter > MAX_PAUSE) throw err;
        const delay = Math.max(jitter(retry - 1), err.retryAfter);
        await this.rest({ reason: err.reason, delay, retry, of: MAX_RETRIES });
      }
    }
  }

  /** Waits before another try, which the player can do without. */
  private async rest(w: Wait): Promise<void> {
    const until = performance.now() + w.delay;
    this.plan.result.busy(() => waiting(w, until - performance.now()));
    const { signal } = (this.pause = new AbortController());
    this.offer(true);
    try {
      await sleep(w.delay, signal);
    } finally {
      this.pause = null;
      this.offer(false);
    }
  }

  /** Shows the button by which the player gives up, or not. */
  private offer(yes: boolean): void {
    if (!yes && document.activeElement === this.cancel) this.submit.focus();
    this.cancel.hidden = !yes;
  }

  private failed(err: unknown): void {
    const { result } = this.plan;
    if (err instanceof DOMException && err.name === "AbortError") {
      if (this.root.checkVisibility()) result.failed("Cancelled.");
      else result.clear();
      return;
    }
    const { text, field, asked } = this.plan.wrong(err);
    if (asked) result.done(text);
    else result.failed(text);
    if (!field?.checkVisibility()) return;
    this.mark(field, !asked);
    field.focus();
    field.select();
  }

  /** Has the result belong to a field, for those who come to it later. */
  private mark(field: HTMLInputElement | undefined, isWrong = false): void {
    if (this.marked) {
      this.marked.ariaInvalid = null;
      this.marked.removeAttribute("aria-describedby");
    }
    this.marked = field;
    if (!field) return;
    if (isWrong) field.ariaInvalid = "true";
    field.setAttribute("aria-describedby", this.plan.result.root.id);
  }
}
