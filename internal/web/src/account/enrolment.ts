// Setting up an authenticator: the key as a picture and as text, and the code which shows that the app has it.

import type { Setup } from "./calls.ts";
import { Form } from "./form.ts";
import { button, field, make } from "./make.ts";
import { picture } from "./qr.ts";
import type { Result } from "./result.ts";
import { copier } from "./saved.ts";

export interface Enrolled {
  /** Confirms the authenticator, and returns what to tell. */
  confirm: (code: string) => Promise<string>;
  wrong: (err: unknown) => { text: string; isCode: boolean };
  cancel: () => void;
}

export class Enrolment {
  readonly root: HTMLElement;
  private readonly qr = make("div", { id: "account-factor-qr", className: "qr" });
  private readonly key = make("code", { id: "account-factor-key" });
  private readonly link = make("a", { id: "account-factor-link" }, "Open it in an app on this device");
  private readonly code: HTMLInputElement;
  private readonly form: Form;

  constructor(result: Result, on: Enrolled) {
    const [code, row] = field("account-factor-code", "Code that the app shows",
      { autocomplete: "one-time-code", inputMode: "numeric", maxLength: 16, spellcheck: false, required: true });
    this.code = code;
    this.form = new Form({
      id: "account-factor-confirm", button: "Turn on", doing: "Turning it on…", result, rows: [row],
      beside: [button("account-factor-cancel", "Cancel", on.cancel)],
      send: () => on.confirm(this.code.value),
      wrong: (err) => {
        const { text, isCode } = on.wrong(err);
        return { text, field: isCode ? this.code : undefined };
      },
    });
    const copy = copier("account-factor-copy", "Copy the key", () => this.key.textContent.replaceAll(" ", ""),
      (said, failed) => failed ? result.failed(said) : result.done(said));
    const key = make("div", {}, make("p", { className: "hint" }, "No camera? Type this key into the app:"), this.key,
      make("div", { className: "row" }, copy), make("p", {}, this.link));
    this.root = make("div", { id: "account-factor-setup", hidden: true },
      make("div", { className: "enrol" }, this.qr, key), this.form.root);
  }

  get isOpen(): boolean {
    return !this.root.hidden;
  }

  async open({ secret, uri, png }: Setup): Promise<void> {
    const picked = await picture(png, "QR code for the authenticator app").catch(() => null);
    this.qr.hidden = !picked; // the key does as well
    this.qr.replaceChildren(...picked ? [picked] : []);
    this.key.textContent = secret.replace(/.{4}(?=.)/g, "$& ");
    this.link.href = uri;
    this.root.hidden = false;
  }

  focus(): void {
    this.code.focus({ preventScroll: true });
    this.root.scrollIntoView({ block: "nearest" });
  }

  /** Forgets the key. */
  close(): void {
    this.form.close();
    this.root.hidden = true;
    this.code.value = this.key.textContent = "";
    this.qr.replaceChildren();
    this.link.removeAttribute("href");
  }
}
