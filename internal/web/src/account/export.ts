// All that is kept of the player, as a file.

import { exported, type Account } from "./calls.ts";
import { button, make, section } from "./make.ts";
import { Result } from "./result.ts";
import { save } from "./saved.ts";
import type { Desk, Section } from "./section.ts";
import { refused } from "./words.ts";

export class ExportSection implements Section {
  readonly root: HTMLElement;
  private readonly get = button("account-export-get", "Download", () => void this.download());
  private readonly result: Result;
  private name = "";
  private busy = false;

  constructor(private readonly desk: Desk) {
    this.result = new Result("account-export-result", (text) => desk.inside.tell(text));
    this.root = section("account-export", "Your data",
      make("p", { className: "hint" },
        "All that is kept of you and your character, as a JSON file. No secrets are in it."), this.get, this.result.root);
  }

  show(a: Account): void {
    this.name = a.name;
  }

  close(): void {
    this.result.clear();
  }

  private async download(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.get.ariaDisabled = "true";
    this.result.busy(() => "Gathering…");
    const file = `${this.name.replace(/[^\w.-]/g, "_") || "account"}.json`;
    try {
      save(file, await exported(this.desk.inside.token), "application/json");
      this.result.done(`Saved as ${file}.`);
    } catch (err) {
      this.result.failed(refused(err));
    } finally {
      this.busy = false;
      this.get.ariaDisabled = "false";
    }
  }
}
