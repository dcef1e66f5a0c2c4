// The recovery codes, which are shown once.

import { button, make } from "./make.ts";
import type { Result } from "./result.ts";
import { copier, save } from "./saved.ts";

export class Codes {
  readonly root: HTMLElement;
  private readonly list = make("ul", { id: "account-factor-codes", className: "codes" });
  private codes: string[] = [];

  /** whose names game and account in the file; onKept is called when the player has the codes. */
  constructor(result: Result, whose: () => string, onKept: () => void) {
    const text = (): string => this.codes.join("\n");
    const tell = (said: string, failed = false): void => failed ? result.failed(said) : result.done(said);
    const kept = button("account-factor-kept", "I have kept them", () => {
      this.close();
      result.clear();
      onKept();
    }, "primary");
    const download = button("account-factor-download", "Download", () => {
      save("recovery-codes.txt", `Recovery codes for ${whose()}. Each is good once.\n\n${text()}\n`, "text/plain");
      result.done("Saved as recovery-codes.txt.");
    });
    this.list.tabIndex = -1;
    this.list.ariaLabel = "Recovery codes";
    this.root = make("div", { hidden: true }, make("h3", {}, "Recovery codes"),
      make("p", { className: "hint" }, "Each is good once, in place of a code of the app. They are not shown again."),
      this.list,
      make("div", { className: "row" }, copier("account-factor-copy-codes", "Copy", text, tell), download, kept));
  }

  get isOpen(): boolean {
    return !this.root.hidden;
  }

  open(codes: string[]): void {
    this.codes = codes;
    this.list.replaceChildren(...codes.map((c) => make("li", {}, make("code", {}, c))));
    this.root.hidden = false;
  }

  focus(): void {
    this.list.focus();
  }

  /** Forgets them. */
  close(): void {
    this.codes = [];
    this.list.replaceChildren();
    this.root.hidden = true;
  }
}
