// What is on the account page: its sections, and the account that they show. The page loads this file on its own.

import type { Inside } from "../accountpage.ts";
import { say, setText } from "../page.ts";
import { account } from "./calls.ts";
import { DeletionSection } from "./deletion.ts";
import { DevicesSection } from "./devices.ts";
import { EmailSection } from "./email.ts";
import { ExportSection } from "./export.ts";
import { FactorSection } from "./factor.ts";
import { HistorySection } from "./history.ts";
import { IdentitiesSection } from "./identities.ts";
import { button, make } from "./make.ts";
import { NameSection } from "./name.ts";
import { PasskeysSection } from "./passkeys.ts";
import { PasswordSection } from "./password.ts";
import type { Desk, Section } from "./section.ts";
import { UpgradeSection } from "./upgrade.ts";
import { date, refused } from "./words.ts";

/** From top to bottom. */
const ALL: (new (desk: Desk) => Section)[] = [
  UpgradeSection,
  NameSection,
  PasswordSection,
  EmailSection,
  FactorSection,
  PasskeysSection,
  IdentitiesSection,
  DevicesSection,
  HistorySection,
  ExportSection,
  DeletionSection,
];

export { ready } from "../look.ts";
export { Notice } from "./notice.ts";

export class Sections {
  private readonly who = make("p", { id: "account-who", tabIndex: -1 });
  private readonly again = button("account-again", "Try again", () => void this.load());
  private readonly body = make("div", { id: "account-body", hidden: true });
  private readonly sections: Section[];
  private asked = 0; // counts, so that an answer that comes late is not shown

  constructor(root: HTMLElement, private readonly inside: Inside) {
    this.again.hidden = true;
    const forgotten = (): void => this.sections.forEach((s) => s.forgotten?.());
    this.sections = ALL.map((Each) => new Each({ inside, reload: () => void this.load(), forgotten }));
    this.body.append(...this.sections.map((s) => s.root));
    const hint = make("p", { className: "hint" }, "Your character stays in the world meanwhile.");
    root.append(this.who, hint, this.again, this.body);
  }

  open(): void {
    this.body.hidden = true; // until it is known whose account it is now
    void this.load();
  }

  close(): void {
    this.asked++;
    for (const s of this.sections) s.close();
  }

  private async load(): Promise<void> {
    const asked = ++this.asked;
    if (this.body.hidden) this.tell("Loading…");
    try {
      const a = await account(this.inside.token);
      if (asked !== this.asked) return;
      await Promise.all(this.sections.map((s) => s.show(a)));
      this.body.dataset["by"] = a.provedBy;
      if (asked !== this.asked) return;
      for (const field of this.body.querySelectorAll<HTMLInputElement>(".whose")) field.value = a.name;
      this.tell(`${a.name}, here since ${date(a.created)}`);
      if (document.activeElement === this.again) this.who.focus();
      this.again.hidden = true;
      this.body.hidden = false;
    } catch (err) {
      if (asked !== this.asked) return;
      const text = refused(err);
      this.tell(text, true);
      say(text);
      this.again.hidden = false;
    }
  }

  private tell(text: string, isError = false): void {
    setText(this.who, text);
    this.who.dataset["kind"] = isError ? "error" : "";
  }
}
