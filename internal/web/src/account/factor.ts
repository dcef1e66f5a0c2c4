// The second factor: an authenticator, and recovery codes for who has lost it.

import { NoAnswer, Refusal } from "../api.ts";
import { say } from "../page.ts";
import { failure, WRONG_CODE } from "../words.ts";
import {
  beginFactor, confirmFactor, factor, removeFactor, renewCodes, setAsk, type Account, type Ask, type Factor, type Setup,
} from "./calls.ts";
import { Codes } from "./codes.ts";
import { Enrolment } from "./enrolment.ts";
import { Guarded } from "./guarded.ts";
import { make, section } from "./make.ts";
import { Result } from "./result.ts";
import type { Desk, Section } from "./section.ts";
import { refused } from "./words.ts";

const OFF = "It is off: the password alone lets you in.";
const SCAN = "Scan the picture with your app, or type the key into it. Then type the code that the app shows.";
const ASKED: Record<Ask, string> = {
  "new-devices": "when you log in, and not where you stay logged in",
  always: "whenever you come in, and no device is remembered",
};

export class FactorSection implements Section {
  readonly root: HTMLElement;
  private readonly now = make("p", { id: "account-factor-now" });
  private readonly result: Result;
  private readonly begin: Guarded;
  private readonly ask: Guarded;
  private readonly renew: Guarded;
  private readonly off: Guarded;
  private readonly enrolment: Enrolment;
  private readonly codes: Codes;
  private has: Factor = { active: false, ask: "new-devices", left: 0 };
  private account = "";

  constructor(private readonly desk: Desk) {
    const result = this.result = new Result("account-factor-result", (text) => desk.inside.tell(text));
    this.enrolment = new Enrolment(result, {
      confirm: (code) => this.confirm(code),
      wrong: (err) => this.wrongCode(err),
      cancel: () => this.cancel(),
    });
    this.codes = new Codes(result, () => `${location.host} ${this.account}`.trim(), () => {
      this.state(this.has);
      this.ask.focus();
    });
    this.begin = new Guarded({
      id: "account-factor-begin", button: "Set up", yes: "Go on", doing: "Making a key…", result,
      question: "You need an authenticator app, on your phone say. Any that shows codes of six digits will do.",
      deed: async (shown) => this.enrol(await beginFactor(this.token, shown)),
    });
    const withCode = true;
    this.ask = new Guarded({
      id: "account-factor-ask", button: "", question: "", yes: "Change", doing: "Changing when a code is asked for…",
      result, withCode, deed: async (shown) => {
        const ask = this.has.ask === "always" ? "new-devices" : "always";
        await setAsk(this.token, shown, ask);
        this.state({ ...this.has, ask });
        if (ask === "always" && desk.inside.device.name) desk.inside.device.leave().catch(() => undefined);
        return `A code is asked for ${ASKED[ask]}.`;
      },
    });
    this.renew = new Guarded({
      id: "account-factor-renew", button: "New recovery codes", yes: "Make new ones", doing: "Making recovery codes…",
      question: "Those that you have are worth nothing from then on.", result, withCode,
      deed: async (shown) => this.keep(await renewCodes(this.token, shown), "These are your recovery codes now."),
    });
    this.off = new Guarded({
      id: "account-factor-off", button: "Turn off", yes: "Turn off", look: "danger", doing: "Turning it off…",
      question: "The password alone lets you in from then on. The recovery codes are gone, too.", result, withCode,
      deed: async (shown) => {
        await removeFactor(this.token, shown);
        this.state({ ...this.has, active: false });
        return OFF;
      },
    });
    const choices = make("div", { className: "row" },
      ...[this.begin, this.ask, this.renew, this.off].map((g) => g.root));
    this.root = section("account-factor", "Second factor",
      make("p", { className: "hint" },
        "A code of an authenticator app besides the password, so that nobody comes in with that alone."),
      this.now, this.enrolment.root, this.codes.root, result.root, choices);
  }

  private get token(): string {
    return this.desk.inside.token;
  }

  async show(a: Account): Promise<void> {
    this.account = a.name;
    try {
      this.state(await factor(this.token));
      this.root.hidden = false;
    } catch (err) {
      this.root.hidden = err instanceof Refusal && err.status === 404; // an older node
      this.now.textContent = refused(err);
    }
  }

  close(): void {
    for (const part of [this.begin, this.ask, this.renew, this.off, this.enrolment, this.codes]) part.close();
    this.result.clear();
  }

  private state(has: Factor): void {
    this.has = has;
    const { active, ask, left } = has, busy = this.enrolment.isOpen || this.codes.isOpen;
    const codes = left === 1 ? "One recovery code is" : `${left || "No"} recovery codes are`;
    this.now.textContent = this.enrolment.isOpen ? SCAN : !active ? OFF
      : `It is on: a code is asked for ${ASKED[ask]}. ${codes} left.`;
    this.ask.reword(ask === "always" ? "Ask less often" : "Ask always", ask === "always"
      ? "A code is asked for when you log in, and not where you stay logged in."
      : "A code is asked for whenever you come in. No device is remembered: those that are have to log in again.");
    this.begin.root.hidden = active || busy;
    for (const g of [this.ask, this.renew, this.off]) g.root.hidden = !active || busy;
  }

  private async enrol(s: Setup): Promise<string> {
    await this.enrolment.open(s);
    this.state(this.has);
    this.result.clear();
    if (!this.root.checkVisibility()) return "";
    this.enrolment.focus();
    say(SCAN);
    return "";
  }

  private async confirm(code: string): Promise<string> {
    const codes = await confirmFactor(this.token, code);
    this.enrolment.close();
    this.has = { active: true, ask: "new-devices", left: codes.length };
    return this.keep(codes, "The second factor is on.");
  }

  private keep(codes: string[], said: string): string {
    this.codes.open(codes);
    this.state({ ...this.has, left: codes.length });
    if (this.root.checkVisibility()) this.codes.focus();
    return `${said} Keep these recovery codes where you find them without the app: they are not shown again.`;
  }

  private cancel(): void {
    this.enrolment.close();
    this.state(this.has);
    this.begin.focus();
    this.result.done("Nothing was changed.");
  }

  private wrongCode(err: unknown): { text: string; isCode: boolean } {
    if (err instanceof NoAnswer) {
      return { text: `${failure(err)} Close this page and open it again to see whether it is on.`, isCode: false };
    }
    if (err instanceof Refusal && err.reason === "second-factor") return { text: WRONG_CODE, isCode: true };
    return { text: refused(err), isCode: err instanceof Refusal && err.status === 400 };
  }
}
