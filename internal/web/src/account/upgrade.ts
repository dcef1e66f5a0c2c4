// A name and a password for a guest, who keeps the character.

import { NoAnswer, Refusal } from "../api.ts";
import { element } from "../page.ts";
import { failure, NOT_THE_SAME } from "../words.ts";
import { identityShown, onProvedBy, upgrade, type Account } from "./calls.ts";
import { Form, type Wrong } from "./form.ts";
import { field, make, section } from "./make.ts";
import { Result } from "./result.ts";
import { Secrets } from "./secret.ts";
import type { Desk, Section } from "./section.ts";
import { MAYBE, refused } from "./words.ts";

export class UpgradeSection implements Section {
  readonly root: HTMLElement;
  private readonly name: HTMLInputElement;
  private readonly secrets = new Secrets("account-upgrade-reveal");
  private readonly next: HTMLInputElement;
  private readonly repeat: HTMLInputElement;
  private readonly result: Result;
  private readonly form: Form;
  private stays = false; // logged in on this device

  constructor(private readonly desk: Desk) {
    this.result = new Result("account-upgrade-result", (text) => desk.inside.tell(text));
    const [name, nameRow] = field("account-upgrade-name", "Your name",
      { autocomplete: "username", autocapitalize: "none", maxLength: 128, spellcheck: false, required: true });
    const [next, nextRow] = this.secrets.field("account-upgrade-password", "A password", "new-password");
    const [repeat, repeatRow] = this.secrets.field("account-upgrade-repeat", "The password once more", "new-password");
    [this.name, this.next, this.repeat] = [name, next, repeat];
    this.form = new Form({
      id: "account-upgrade", button: "Keep this character", doing: "Keeping your character…", result: this.result,
      rows: [nameRow, nextRow, repeatRow], send: () => this.upgrade(), wrong: (err) => this.wrong(err),
    });
    const hint = "Only this browser lets you in so far. With a name and a password you come in from anywhere, with the "
      + "same character.";
    this.root = section("account-upgrade-section", "Keep your character", make("p", { className: "hint" }, hint),
      this.form.root, this.result.root);
    onProvedBy(() => this.root.hidden = identityShown() === null);
  }

  show(a: Account): void {
    this.stays = a.devices.some((d) => d.this);
    this.root.hidden = identityShown() === null;
  }

  forgotten(): void {
    this.stays = false;
  }

  close(): void {
    this.form.close();
    this.name.value = "";
    this.secrets.clear();
    this.result.clear();
  }

  private async upgrade(): Promise<string> {
    if (this.next.value !== this.repeat.value) throw new Different();
    this.secrets.disclose(false);
    const { inside } = this.desk, name = this.name.value;
    const done = `You are ${name} from now on. This browser goes on letting you in without the password, until you remove `
      + "it from the other ways in.";
    return inside.ending(async () => {
      const session = await upgrade(inside.token, name, this.next.value);
      element<HTMLInputElement>("username").value = name; // at the door, for the next time
      if (this.stays) inside.device.leave().catch(() => undefined); // its token is worth nothing any more
      if (!session) return inside.signOut(`${done} Please log in.`), "";
      inside.goOn(session);
      this.close();
      inside.tell(done); // for this section is gone
      this.desk.reload();
      return "";
    });
  }

  private wrong(err: unknown): Wrong {
    if (err instanceof Different) return { text: NOT_THE_SAME, field: this.repeat };
    if (err instanceof NoAnswer) return { text: `${failure(err)} ${MAYBE}` };
    if (!(err instanceof Refusal)) return { text: refused(err) };
    if (err.reason === "bad-credentials") return { text: "That does not open the account any more." };
    const named = err.reason === "username-taken";
    return { text: refused(err), field: named ? this.name : err.reason === "missing-credentials" ? this.next : undefined };
  }
}

/** Says that the two passwords are not the same. */
class Different extends Error {}
