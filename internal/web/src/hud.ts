// What the player knows about the own character, and what has just happened to it.

import { element, say, setText } from "./page.ts";
import type { Own } from "./protocol.ts";
import { count } from "./words.ts";

const NEWS_TIME = 3_000; // ms

export class Hud {
  private readonly health = element("health");
  private readonly news = element("news");
  private own: Own | null = null;
  private timer = 0;

  /** Forgets everything, as at the beginning of a session. */
  reset(name: string): void {
    this.own = null;
    this.name(name);
    this.zone("");
    this.tell("");
  }

  name(name: string): void {
    setText(element("name"), name);
    setText(element("account-name"), name || "Account");
  }

  zone(zone: string): void {
    setText(element("zone"), zone);
  }

  update(own: Own): void {
    const before = this.own;
    this.own = own;
    setText(element("level"), count(own.level));
    setText(element("xp"), count(own.xp));
    setText(element("deaths"), count(own.deaths));
    const hp = Math.max(own.hp, 0);
    if (!before || before.hp !== own.hp || before.maxHP !== own.maxHP) this.bar(hp, own.maxHP);
    if (own.hp <= 0 && (!before || before.hp > 0)) this.tell("You died. You will be back in a moment.", false);
    if (!before) return;
    if (own.hp > 0 && before.hp <= 0) this.tell("You are back.");
    if (own.level > before.level) this.tell(`Level ${count(own.level)}!`);
  }

  private bar(hp: number, max: number): void {
    const share = max > 0 ? Math.min(hp / max, 1) : 0;
    (this.health.firstElementChild as HTMLElement).style.transform = `scaleX(${share})`;
    this.health.dataset["low"] = String(share < 0.3);
    this.health.ariaValueNow = String(hp);
    this.health.ariaValueMax = String(max);
    setText(element("hp"), `${count(hp)} / ${count(max)}`);
  }

  /** Shows a line for a moment, or until the next. */
  tell(line: string, passing = true): void {
    clearTimeout(this.timer);
    setText(this.news, line);
    if (line) say(line);
    if (line && passing) this.timer = setTimeout(() => setText(this.news, ""), NEWS_TIME);
  }
}
