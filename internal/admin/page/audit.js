// What operators have done: the newest entries of the audit log.
import { fill } from "/tables.js";

const every = 10_000; // ms between two looks
const shown = 20;
const outcomes = { done: "done" };

async function refresh() {
  const list = document.getElementById("audit");
  const note = document.getElementById("audit-note");
  try {
    const response = await fetch(`/audit?limit=${2 * shown}`);
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    const rows = acts(answer.entries).slice(0, shown);
    list.hidden = rows.length === 0;
    fill(list, rows.map(row));
    note.textContent = rows.length ? "" : "Nobody has done anything yet.";
  } catch (error) {
    note.textContent = `The audit log cannot be had now: ${error.message}`;
  }
}

// acts puts entries that say what came of an act to those that say what was about to be done.
function acts(entries) {
  const cameOf = new Map(entries.filter((e) => e.of).map((e) => [e.of, e.outcome]));
  return entries.filter((e) => !e.of).map((e) => ({ ...e, outcome: e.outcome ?? cameOf.get(e.seq) ?? "unknown" }));
}

function row(entry) {
  const tr = document.createElement("tr");
  const th = document.createElement("th");
  th.scope = "row";
  th.textContent = entry.who;
  tr.append(th);
  const about = [entry.whom ? `player ${entry.whom}` : "", entry.detail ?? ""].filter(Boolean).join(", ");
  const cells = [entry.what, about || "–", new Date(entry.at).toLocaleString(), outcomes[entry.outcome] ?? entry.outcome];
  for (const text of cells) tr.insertCell().textContent = text;
  return tr;
}

export function listActs() {
  setInterval(() => {
    if (!document.hidden) refresh();
  }, every);
  refresh();
}
