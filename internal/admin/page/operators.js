// The operators, for those who may do everything. Tokens are made on the command line, where nobody looks over a shoulder.
import { may } from "/roles.js";
import { fill } from "/tables.js";

const every = 10_000; // ms between two looks

export async function refreshOperators() {
  if (!may("all")) return;
  const table = document.getElementById("operators");
  const note = document.getElementById("operators-note");
  try {
    const response = await fetch("/operators");
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    table.hidden = answer.operators.length === 0;
    fill(table, answer.operators.map(row));
    note.textContent = table.hidden ? "There is none yet: “rushgate operator add NAME --role all” makes the first." : "";
  } catch (error) {
    note.textContent = `The operators cannot be had now: ${error.message}`;
  }
}

function row({ name, role, created_at, created_by }) {
  const tr = document.createElement("tr");
  const th = document.createElement("th");
  th.scope = "row";
  th.textContent = name;
  tr.append(th);
  for (const text of [role, new Date(created_at).toLocaleString(), created_by || "–"]) tr.insertCell().textContent = text;
  return tr;
}

export function listOperators() {
  setInterval(() => {
    if (!document.hidden) refreshOperators();
  }, every);
  refreshOperators();
}
