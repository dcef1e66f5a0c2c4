// The account page, which lies over the world while its player is inside. What is on it is in the folder account, and
// is loaded when it is first asked for.

import type { Session } from "./api.ts";
import type { Device } from "./device.ts";
import { element, load, say, setText } from "./page.ts";

const ADDRESS = "#account";

/** The player who is inside, as far as the account page has to do with it. */
export interface Inside {
  /** The session's token; "" if nobody is inside. */
  readonly token: string;
  readonly device: Device;
  /** Calls f, which may end the session. Of such an end the player is told after f, and only if still inside. */
  ending<T>(f: () => Promise<T>): Promise<T>;
  /** Goes on with another session, in place of one that has ended. */
  goOn(s: Session): void;
  /** Takes the player to the door, where it says why. */
  signOut(message: string): void;
  /** Has this device forgotten, ends the session, and takes the player to the door. */
  leave(): Promise<void>;
  /** Tells the player something in the world. */
  tell(text: string): void;
}

type Code = typeof import("./account/sections.ts");

/** What is on the page, as sections.ts has it. */
interface Content {
  open(): void;
  close(): void;
}

export class AccountPage {
  private readonly page = element("account");
  private readonly title = element("account-title");
  private readonly note = element("account-note");
  private content: Content | null = null;

  /** onChange is called when the page has been opened or closed. */
  constructor(private readonly inside: Inside, private readonly onChange: () => void) {
    element("account-open").addEventListener("click", (e) => {
      if (e.ctrlKey || e.metaKey || e.shiftKey) return; // another tab or window
      e.preventDefault();
      history.pushState({ ours: true }, "", ADDRESS); // so that the button Back of phones closes the page
      this.look();
    });
    element("account-close").addEventListener("click", () => this.close());
    document.addEventListener("keydown", (e) => {
      if (e.key === "Escape" && this.isOpen && !e.defaultPrevented && !e.isComposing) this.close();
    });
    addEventListener("hashchange", () => this.look());
  }

  get isOpen(): boolean {
    return !this.page.hidden;
  }

  /** Opens or closes the page, as the address says. */
  look(): void {
    if (location.hash !== ADDRESS || !this.inside.token) this.hide();
    else if (!this.isOpen) void this.open();
  }

  close(): void {
    if (!this.isOpen) return;
    this.hide();
    if (location.hash !== ADDRESS) return;
    if ((history.state as { ours?: boolean } | null)?.ours) history.back();
    else history.replaceState(null, "", location.pathname + location.search);
  }

  private hide(): void {
    if (!this.isOpen) return;
    this.page.hidden = true;
    this.content?.close();
    this.onChange();
  }

  private async open(): Promise<void> {
    this.page.hidden = false;
    this.page.scrollTop = 0;
    this.onChange();
    this.title.focus({ preventScroll: true });
    if (!this.content) setText(this.note, "Loading…");
    try {
      this.content ??= await this.load();
    } catch {
      return this.tell("This page cannot be loaded. Please check your connection, and reload it.");
    }
    if (!this.isOpen) return;
    setText(this.note, "");
    this.content.open();
  }

  /** Tells a player who comes in when the account is to be deleted, and offers to keep it. */
  async warn(deleteAt: number): Promise<void> {
    // Where it cannot be loaded there is the page, which says it, too.
    const code = await load<Code>(this.page).catch(() => null);
    if (code) new code.Notice(element("notice"), this.inside).show(deleteAt);
  }

  private async load(): Promise<Content> {
    const { Sections } = await load<Code>(this.page);
    return this.content ?? new Sections(element("account-sections"), this.inside);
  }

  private tell(text: string): void {
    setText(this.note, text);
    say(text);
  }
}
