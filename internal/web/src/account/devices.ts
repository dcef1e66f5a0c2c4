// The devices that the player stays logged in on, and the way out on all of them.

import { Refusal } from "../api.ts";
import { ago } from "../words.ts";
import { forgetDevice, logoutEverywhere, type Account, type Remembered } from "./calls.ts";
import { make, section } from "./make.ts";
import { Result } from "./result.ts";
import type { Desk, Section } from "./section.ts";
import { Sure } from "./sure.ts";
import { date, refused } from "./words.ts";

const DAY = 24 * 3600_000; // ms

export class DevicesSection implements Section {
  readonly root: HTMLElement;
  private readonly list = make("ul", { id: "account-devices-list" });
  private readonly none = make("p", {}, "No device is remembered: to come in takes the password.");
  private readonly result: Result;
  private readonly everywhere: Sure;
  private rows: Sure[] = [];
  private stays = false; // logged in on this device

  constructor(private readonly desk: Desk) {
    this.result = new Result("account-devices-result", (text) => desk.inside.tell(text));
    this.everywhere = new Sure("account-everywhere", {
      button: "Log out everywhere", yes: "Log out everywhere",
      question: "This ends every session, also this one, and forgets all devices. To come in again takes the password.",
    }, () => this.leaveAll());
    this.root = section("account-devices", "Devices",
      make("p", { className: "hint" }, "Where you stay logged in. Forget those that are not yours any more."),
      this.list, this.none, this.result.root, this.everywhere.root);
  }

  show({ devices }: Pick<Account, "devices">): void {
    const items = devices.map((d, i) => this.item(d, i));
    this.rows = items.map(([, sure]) => sure);
    this.list.replaceChildren(...items.map(([li]) => li));
    this.list.hidden = !items.length;
    this.none.hidden = Boolean(items.length);
    this.stays = devices.some((d) => d.this);
  }

  forgotten(): void {
    this.show({ devices: [] });
  }

  close(): void {
    for (const s of [...this.rows, this.everywhere]) s.close();
    this.result.clear();
  }

  private item(d: Remembered, i: number): [HTMLElement, Sure] {
    const label = make("strong", {}, d.label);
    const times = `Last used ${since(d.used)}, remembered until ${date(d.expires)}`;
    const what = make("div", {}, label, ...(d.this ? [" ", make("span", { className: "mark" }, "This one")] : []),
      make("p", { className: "hint" }, times));
    const sure: Sure = new Sure(`account-forget-${i}`, {
      button: "Forget", of: d.label, yes: d.this ? "Log out and forget" : "Forget",
      question: d.this ? "You are on this device: you will be logged out, and to come in again takes the password."
        : "Whoever plays there is logged out, and needs the password to come in again.",
    }, () => d.this ? this.desk.inside.leave() : this.forget(d, li, sure));
    const li = make("li", {}, what, sure.root);
    return [li, sure];
  }

  private async forget(d: Remembered, li: HTMLElement, sure: Sure): Promise<void> {
    this.result.busy(() => `Forgetting ${d.label}…`);
    try {
      await forgetDevice(this.desk.inside.token, d.handle);
    } catch (err) {
      // Somebody else may have had it forgotten.
      if (!(err instanceof Refusal && err.status === 404)) return this.result.failed(refused(err));
    }
    this.result.done(`${d.label} is forgotten.`);
    if (li.isConnected) this.remove(li, sure);
  }

  /** Takes a device off the list. The keyboard goes to the next one. */
  private remove(li: HTMLElement, sure: Sure): void {
    const had = li.contains(document.activeElement), i = this.rows.indexOf(sure);
    li.remove();
    this.rows.splice(i, 1);
    this.list.hidden = !this.rows.length;
    this.none.hidden = Boolean(this.rows.length);
    if (had) (this.rows[i] ?? this.rows[i - 1] ?? this.everywhere).focus();
  }

  private async leaveAll(): Promise<void> {
    const { inside } = this.desk;
    this.result.busy(() => "Logging out everywhere…");
    try {
      await inside.ending(async () => {
        await logoutEverywhere(inside.token);
        if (this.stays) inside.device.leave().catch(() => undefined); // its cookie is worth nothing any more
        inside.signOut("You are logged out everywhere.");
      });
    } catch (err) {
      this.result.failed(refused(err));
    }
  }
}

/** Returns how long ago something was, be it days. */
export function since(time: number, now = Date.now()): string {
  const days = Math.floor((now - time) / DAY);
  return days < 1 ? ago(now - time) : days === 1 ? "yesterday" : `${days} days ago`;
}
