// What a section of the account page is. Another one is a file of its own beside this one, and a line in sections.ts.

import type { Inside } from "../accountpage.ts";
import type { Account } from "./calls.ts";

export interface Section {
  /** The section element, which is made once. */
  readonly root: HTMLElement;
  /**
   * Shows the account as it is now: when the page has been opened, and when a section has asked for it. The page waits
   * with what the section has to ask the node for, so that nothing moves later.
   */
  show(account: Account): void | Promise<void>;
  /** The account is remembered on no device any more. Nothing is asked of the node. */
  forgotten?(): void;
  /** The page is closed: what has been typed and told is forgotten. */
  close(): void;
}

/** What a section can ask for. */
export interface Desk {
  readonly inside: Inside;
  /** Asks the node for the account, and has all sections show it. */
  reload(): void;
  /** Has all sections know that the account is remembered on no device any more, without asking the node. */
  forgotten(): void;
}
