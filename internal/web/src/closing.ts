// What the end of a WebSocket of the realtime channel means: section 1.1 of docs/protocol.md.

/** Why a channel is not opened again. */
export type Ending =
  | "no-session" // that the node knows of, or could go on with: log in again
  | "session-ended" // while it was played: log in again
  | "replaced" // the player is elsewhere
  | "elsewhere" // another node looks after the player's part of the world
  | "incompatible" // this page and the node do not understand each other
  | "refused" // the node does not take pages of this origin
  | "lost"; // nothing has answered for longer than any session lives

/** What to do after a WebSocket has closed. */
export type Next =
  | { end: Ending }
  | {
    /** For so many ms the node is not to be asked again. */
    wait: number;
    /** The node is going down. The session is kept, for the next process or another node to go on with. */
    restart?: true;
    /** Another node has the session, and this one has to be asked to have it move here. */
    move?: true;
  };

/** The longest pause that a node can ask for, in ms. */
const MAX_WAIT = 30_000;
/** The pauses after 4429 and 4411 if the reason does not say them, in ms. */
const RATE_PAUSE = 5_000;
const RESTART_PAUSE = 1_000;

/**
 * Returns what a close code and its reason ask for.
 *
 * Only a node ends with codes from 4000 on. Every other code, 1000, 1001, 1008, 1012 and 1013 included, may be that of a
 * proxy which starts anew or has had enough: it ends the road, and not the session. Whatever the code, a reason that
 * names a time is heeded.
 */
export function afterClose(code: number, reason: string): Next {
  switch (code) {
    case 4401:
      return { end: "no-session" };
    case 4410:
      return { end: "session-ended" };
    case 4409:
      return { end: "replaced" };
    case 4400:
      return { end: "incompatible" };
  }
  const told = /\bretry in (\d{1,9}) ms\b/.exec(reason)?.[1];
  const pause = (otherwise: number): number => Math.min(Number(told ?? otherwise), MAX_WAIT);
  switch (code) {
    case 4411:
      return { wait: pause(RESTART_PAUSE), restart: true };
    case 4421:
      return { wait: 0, move: true };
    case 4429:
      return { wait: pause(RATE_PAUSE) };
  }
  return { wait: pause(0) };
}
