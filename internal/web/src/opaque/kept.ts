// What is kept for a while of what was done with a password. The password is not: whose it is, a digest tells.

import { randomID } from "../random.ts";
import { sha256 } from "../work.ts";

const salt = randomID();
const digest = (whose: string[]): string =>
  sha256(new TextEncoder().encode(JSON.stringify([salt, ...whose]))).join();

/** One thing that is kept until its time is over. */
export class Kept<T> {
  private whose = "";
  private until = 0;
  private what: T | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** Keeps something for whom the texts name, in place of what was kept before; until is a time of performance.now. */
  keep(whose: string[], until: number, what: T): void {
    this.forget();
    const left = until - performance.now();
    if (left <= 0) return;
    this.whose = digest(whose);
    this.until = until;
    this.what = what;
    this.timer = setTimeout(() => this.forget(), left);
  }

  /** Returns what is kept for them, or null. The timer may be late, if the machine was asleep. */
  of(whose: string[]): T | null {
    if (this.until <= performance.now()) this.forget();
    return this.what !== null && this.whose === digest(whose) ? this.what : null;
  }

  forget(): void {
    clearTimeout(this.timer);
    this.whose = "";
    this.what = null;
  }
}
