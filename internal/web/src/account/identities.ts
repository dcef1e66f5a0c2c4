// The other ways into the account: browsers and devices that play as guests, and accounts at providers.

import { call, NoAnswer, Refusal } from "../api.ts";
import { knownGuest } from "../guest.ts";
import { element } from "../page.ts";
import { label, providers, returned, visit, wantsLink } from "../provider.ts";
import { failure } from "../words.ts";
import {
  identities, identityShown, linkIdentity, mergeGuest, provedWith, unlinkIdentity, type Account, type Identity,
  type Shown,
} from "./calls.ts";
import { Guarded } from "./guarded.ts";
import { button, make, section } from "./make.ts";
import { Result } from "./result.ts";
import type { Desk, Section } from "./section.ts";
import { Sure } from "./sure.ts";
import { MAYBE, refused } from "./words.ts";

/** What closes with the page. */
interface Closing {
  readonly root: HTMLElement;
  close(): void;
}

export class IdentitiesSection implements Section {
  readonly root: HTMLElement;
  private readonly list = make("ul", { id: "account-identities-list", className: "items" });
  private readonly none = make("p", {}, "There are none yet.");
  private readonly more = make("div", { id: "account-identities-more" });
  private readonly result: Result;
  private open: Closing[] = [];
  private stays = false; // logged in on this device

  constructor(private readonly desk: Desk) {
    this.result = new Result("account-identities-result", (text) => desk.inside.tell(text));
    this.root = section("account-identities", "Other ways in", this.list, this.none, this.more, this.result.root);
  }

  async show(a: Account): Promise<void> {
    this.stays = a.devices.some((d) => d.this);
    const others = element("app").dataset["others"] ?? "";
    this.root.hidden = !others && a.provedBy !== "identity";
    if (this.root.hidden) return;
    try {
      const { token } = this.desk.inside;
      this.fill(await identities(token));
      await this.offer(a, others.includes("providers") ? await providers(call) : []);
    } catch (err) {
      this.result.failed(refused(err));
    }
  }

  forgotten(): void {
    this.stays = false;
  }

  close(): void {
    for (const c of this.open) c.close();
    this.result.clear();
  }

  private fill(all: Identity[]): void {
    this.list.replaceChildren(...all.map((identity, i) => this.item(identity, i)));
    this.list.hidden = !all.length;
    this.none.hidden = Boolean(all.length);
  }

  private item(identity: Identity, i: number): HTMLElement {
    const name = identity.guest ? "A browser or device that plays as a guest" : host(identity.issuer);
    const act = this.asking(`account-identity-${i}`, "Remove", name,
      "It lets nobody in any more. All other sessions end, and all devices have to log in again.", "Removing it…",
      (shown) => this.unlink(identity, name, shown), "danger");
    return make("li", { className: identity.guest ? "guest" : "" }, make("div", {}, make("strong", {}, name)), act);
  }

  /** Offers what can be linked, and goes on with what a visit to a provider has brought. */
  private async offer(a: Account, all: { name: string; label: string }[]): Promise<void> {
    const back = wantsLink() ? returned() : null;
    const parts: HTMLElement[] = [];
    if (back && a.provedBy === "identity" && !identityShown()) {
      provedWith(back.proof);
      return this.desk.reload();
    }
    if (back) {
      const what = label(back.provider);
      parts.push(this.asking("account-identity-link", `Link ${what}`, "",
        `From then on you come in by ${what}, too.`, `Linking ${what}…`,
        async (shown) => {
          this.fill(await linkIdentity(this.desk.inside.token, { link_identity_proof: back.proof }, shown));
          this.desk.reload();
          return `${what} is linked.`;
        }, "primary"));
    }
    const proves = a.provedBy === "identity" && !identityShown();
    for (const p of all) {
      parts.push(button(`account-identity-visit-${p.name}`, `${proves ? "Prove it is you by" : "Link"} ${p.label}…`,
        () => void this.visit(p.name)));
    }
    const guest = knownGuest();
    if (guest && a.provedBy !== "identity" && !this.list.querySelector(".guest")) parts.push(...this.merging(guest));
    this.more.replaceChildren(make("div", { className: "row" }, ...parts));
  }

  /** Offers to make the guest of this browser part of the account. */
  private merging(guest: string): HTMLElement[] {
    const merge = (keep: "guest" | "own", text: string, question: string): HTMLElement =>
      this.asking(`account-merge-${keep}`, text, "", question, "Merging…", async (shown) => {
        const { inside } = this.desk;
        return inside.ending(async () => {
          const session = await mergeGuest(inside.token, guest, keep, shown);
          if (session) inside.goOn(session);
          else if (keep === "guest") return inside.signOut("It is done. Please log in again."), "";
          this.desk.reload();
          return "It is done: this browser lets you in as well.";
        });
      }, "danger");
    return [
      merge("own", "Add this browser’s guest…",
        "This browser lets you in from then on. If you have played here as a guest, that guest’s character is lost."),
      merge("guest", "Play on as this browser’s guest…",
        "The character that you have played here as a guest takes the place of this account’s, which is lost."),
    ];
  }

  /** Returns a button for what takes a proof: a question where this browser has that, or a form. */
  private asking(
    id: string, text: string, of: string, question: string, doing: string, deed: (shown: Shown) => Promise<string>,
    look: string,
  ): HTMLElement {
    const part: Closing = identityShown()
      ? new Sure(id, { button: text, of, question, yes: text.replace(/…$/, "") }, () => this.act(doing, deed))
      : new Guarded({ id, button: text, question, yes: text.replace(/…$/, ""), doing, look, result: this.result, deed });
    this.open.push(part);
    return part.root;
  }

  private async act(doing: string, deed: (shown: Shown) => Promise<string>): Promise<void> {
    this.result.busy(() => doing);
    try {
      const said = await deed({ password: "" });
      if (said) this.result.done(said);
    } catch (err) {
      this.result.failed(err instanceof NoAnswer ? `${failure(err)} ${MAYBE}` : refused(err));
    }
  }

  private async unlink(identity: Identity, name: string, shown: Shown): Promise<string> {
    const { inside } = this.desk;
    let done = `${name} is removed.`;
    return inside.ending(async () => {
      try {
        const session = await unlinkIdentity(inside.token, identity.handle, shown);
        if (this.stays) {
          inside.device.leave().catch(() => undefined); // its token is worth nothing any more
          done += " The next time you have to log in on this device.";
        }
        if (!session) return inside.signOut(`${done} Please log in again.`), "";
        inside.goOn(session);
        this.desk.forgotten();
      } catch (err) { // somebody else may have removed it
        if (!(err instanceof Refusal && err.status === 404)) throw err;
      }
      this.desk.reload();
      return done;
    });
  }

  private async visit(name: string): Promise<void> {
    this.result.busy(() => "One moment…");
    try {
      await visit(call, name, true);
    } catch (err) {
      this.result.failed(refused(err));
    }
  }
}

/** Returns how a player knows a provider. */
function host(issuer: string): string {
  try {
    return new URL(issuer).hostname.replace(/^(www|accounts|id|login)\./, "");
  } catch {
    return issuer;
  }
}
