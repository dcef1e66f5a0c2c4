// Another name.

import { NoAnswer, Refusal, type Session } from "../api.ts";
import { element } from "../page.ts";
import { failure } from "../words.ts";
import { rename, type Account } from "./calls.ts";
import { Form, type Wrong } from "./form.ts";
import { field, make, section } from "./make.ts";
import { Proof } from "./proof.ts";
import { Result } from "./result.ts";
import type { Desk, Section } from "./section.ts";
import { MAYBE, moment, refused } from "./words.ts";

export class NameSection implements Section {
  readonly root: HTMLElement;
  private readonly name: HTMLInputElement;
  private readonly proof = new Proof("account-name");
  private readonly later = make("p", { id: "account-name-later" });
  private readonly result: Result;
  private readonly form: Form;
  private stays = false; // logged in on this device

  constructor(private readonly desk: Desk) {
    this.result = new Result("account-name-result", (text) => desk.inside.tell(text));
    const [name, row] = field("account-name-new", "New name",
      { autocomplete: "off", autocapitalize: "none", maxLength: 128, spellcheck: false, required: true });
    this.name = name;
    this.form = new Form({
      id: "account-name-change", button: "Change name", doing: "Changing your name…", result: this.result,
      rows: [row, ...this.proof.rows], send: () => this.change(), wrong: (err) => this.wrong(err),
    });
    this.proof.computing = this.form.computing;
    const hint = "The old one is kept from others for a while. All other sessions end, and all devices have to log in "
      + "again.";
    this.root = section("account-name-section", "Name", make("p", { className: "hint" }, hint), this.later,
      this.form.root, this.result.root);
  }

  show(a: Account): void {
    this.stays = a.devices.some((d) => d.this);
    const later = a.renameAt > Date.now();
    this.later.textContent = later ? `You can choose another name from ${moment(a.renameAt)} on.` : "";
    this.form.root.hidden = later;
  }

  forgotten(): void {
    this.stays = false;
  }

  close(): void {
    this.form.close();
    this.name.value = "";
    this.proof.clear();
    this.result.clear();
  }

  private async change(): Promise<string> {
    const { inside } = this.desk, name = this.name.value;
    const done = `You are ${name} from now on.`;
    return inside.ending(async () => {
      const session = await rename(inside.token, name, this.proof.shown);
      element<HTMLInputElement>("username").value = name; // at the door, for the next time
      if (this.stays) inside.device.leave().catch(() => undefined); // its token is worth nothing any more
      if (!session) return inside.signOut(`${done} Please log in with this name.`), "";
      this.goOn(session);
      return this.stays ? `${done} The next time you have to log in on this device.` : done;
    });
  }

  private goOn(session: Session): void {
    this.desk.inside.goOn(session);
    this.name.value = "";
    this.proof.clear();
    this.desk.reload();
  }

  private wrong(err: unknown): Wrong {
    const wrong = this.proof.wrong(err);
    if (wrong) return wrong;
    if (err instanceof NoAnswer) return { text: `${failure(err)} ${MAYBE}` };
    if (!(err instanceof Refusal)) return { text: refused(err) };
    if (err.status === 404) return { text: "Accounts cannot be renamed on this server." };
    const named = err.reason === "username-taken" || err.reason === "missing-credentials";
    return { text: refused(err), field: named ? this.name : undefined };
  }
}
