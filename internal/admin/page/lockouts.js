// The list of what is locked out, and the button that lifts a lockout.
import { confirmed, post } from "/actions.js";
import { may } from "/roles.js";
import { fill } from "/tables.js";

const every = 5000; // ms between two looks at a list that is not empty
let looked = 0;
let shown = 0;

// showLockouts fetches the list when the number of lockouts has changed, and now and then while there are any.
export async function showLockouts(count) {
  if (count === shown && (count === 0 || Date.now() - looked < every)) return;
  looked = Date.now();
  shown = count;
  try {
    const response = await fetch("/lockouts");
    if (response.ok) show(await response.json());
  } catch {
    shown = -1; // the node is away; the next sample asks again
  }
}

const subjects = {
  pair: (l) => [l.origin, l.name ? `the account ${l.name}` : "a name without an account"],
  origin: (l) => [l.origin, "all accounts but those known there"],
  account: (l) => ["Addresses where it is not known", l.name ? `the account ${l.name}` : "a name without an account"],
};

function show({ lockouts, more }) {
  const table = document.getElementById("lockouts");
  table.hidden = lockouts.length === 0;
  document.getElementById("no-lockouts").hidden = !table.hidden;
  const held = document.activeElement?.closest("[data-lockout]")?.dataset.lockout;
  fill(table, lockouts.map(row));
  table.querySelector(`[data-lockout="${held}"] button`)?.focus();
  const rest = document.getElementById("more-lockouts");
  rest.textContent = more ? `${more} more addresses are locked out of single accounts.` : "";
}

function row(lockout) {
  const [who, what] = (subjects[lockout.kind] ?? (() => [lockout.origin, lockout.kind]))(lockout);
  const tr = document.createElement("tr");
  tr.dataset.lockout = lockout.id;
  const th = document.createElement("th");
  th.scope = "row";
  th.textContent = who;
  tr.append(th);
  for (const text of [what, new Date(lockout.until).toLocaleTimeString()]) tr.insertCell().textContent = text;
  const cell = tr.insertCell();
  if (!may("help")) return tr;
  const button = document.createElement("button");
  button.textContent = "Lift …";
  button.addEventListener("click", () => lift(lockout, who, what));
  cell.append(button);
  return tr;
}

async function lift(lockout, who, what) {
  const sure = await confirmed(
    "Lift this lockout?",
    `${who} may try ${what} again at once, and the failures that began the lockout are forgotten.`,
    "Lift",
  );
  if (!sure) return;
  const result = document.getElementById("lockouts-result");
  try {
    await post(`/lockouts/${lockout.id}/lift`);
    result.textContent = "The lockout is lifted.";
  } catch (error) {
    result.textContent = error.message;
  }
  shown = -1;
}
