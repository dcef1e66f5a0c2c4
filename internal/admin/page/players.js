// The list of who is inside: searched and sorted by the node, a page at a time, and the button that ends a session.
import { askBan } from "/access.js";
import { account, confirmed, find, outcomes, post } from "/actions.js";
import { may } from "/roles.js";
import { fill } from "/tables.js";

const byID = (id) => document.getElementById(id);
const perPage = 50;
const every = 5000; // ms between two looks at the list
const transports = { udp: "UDP", websocket: "WebSocket", none: "None" };
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const number = (n) => whole.format(n).replaceAll(",", "\u202f");

const view = { search: "", sort: "name", order: "asc", offset: 0, asked: 0 };

// ago writes for how long a player has been inside.
function ago(since) {
  const minutes = Math.max(Math.floor((Date.now() - Date.parse(since)) / 60_000), 0);
  if (minutes < 1) return "< 1 min";
  if (minutes < 60) return `${minutes} min`;
  return minutes < 1440 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.floor(minutes / 1440)} d`;
}

// refresh asks for the page of the list that is looked at. An answer that another question has overtaken is dropped.
export async function refresh() {
  const asked = ++view.asked;
  const { search, sort, order, offset } = view;
  const query = new URLSearchParams({ search, sort, order, offset, limit: perPage });
  let answer;
  try {
    const response = await fetch(`/players?${query}`);
    answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
  } catch (error) {
    if (asked === view.asked) byID("inside-note").textContent = `The list cannot be had now: ${error.message}`;
    return;
  }
  if (asked === view.asked) show(answer);
}

function show({ players, found, inside, offset }) {
  view.offset = offset;
  const table = byID("inside");
  const held = document.activeElement?.closest("[data-player-name]");
  const key = held?.dataset.playerName;
  const what = document.activeElement?.dataset.do;
  table.hidden = players.length === 0;
  fill(table, players.map(row));
  if (held) {
    const again = [...table.tBodies[0].rows].find((r) => r.dataset.playerName === key);
    (again?.querySelector(`[data-do="${what}"]`) ?? byID("inside-search")).focus();
  }
  byID("inside-count").textContent = `${number(inside)} ${inside === 1 ? "player" : "players"}`;
  byID("inside-note").textContent = note(found, inside);
  byID("inside-pages").hidden = found <= perPage;
  byID("inside-range").textContent = `${number(offset + 1)} to ${number(offset + players.length)} of ${number(found)}`;
  byID("inside-back").disabled = offset === 0;
  byID("inside-on").disabled = offset + players.length >= found;
}

function note(found, inside) {
  if (inside === 0) return "Nobody is inside.";
  if (found === 0) return "No player inside has this in the name.";
  return view.search ? `${number(found)} found.` : "";
}

function button(text, what, act) {
  const b = document.createElement("button");
  b.textContent = text;
  b.dataset.do = what;
  b.addEventListener("click", act);
  return b;
}

function row(player) {
  const tr = document.createElement("tr");
  tr.dataset.playerName = player.name;
  const th = document.createElement("th");
  th.scope = "row";
  const name = button(player.name, "look", () => {
    byID("name").value = player.name;
    find(player.name);
    byID("h-find").scrollIntoView({ block: "center" });
  });
  name.className = "quiet link";
  name.title = "Look up";
  th.append(name);
  tr.append(th);
  const cells = [
    ago(player.since), player.zone || "–", player.origin ?? "–", transports[player.transport] ?? player.transport,
    player.rtt_ms === undefined ? "–" : `${player.rtt_ms.toFixed(player.rtt_ms < 10 ? 1 : 0)} ms`,
  ];
  for (const text of cells) tr.insertCell().textContent = text;
  tr.cells[1].title = new Date(player.since).toLocaleString();
  const cell = tr.insertCell();
  if (!may("help")) return tr;
  const end = button("End …", "end", () => endSession(player.name));
  end.setAttribute("aria-label", `End the session of ${player.name}`);
  cell.append(end);
  if (!may("run")) return tr;
  const ban = button("Ban …", "ban", () => banPlayer(player));
  ban.setAttribute("aria-label", `Ban ${player.name}`);
  cell.append(" ", ban);
  return tr;
}

async function banPlayer(player) {
  const done = await askBan(player);
  if (!done) return;
  const result = byID("inside-result");
  result.textContent = done.text;
  result.dataset.outcome = done.failed ? "failed" : "banned";
  await refresh();
  result.focus(); // the button that had the focus may be gone
}

async function endSession(name) {
  const sure = await confirmed(`End the session of ${name}?`, "The player is saved and logged out at once, and can log in again.", "End session");
  if (!sure) return;
  const result = byID("inside-result");
  result.removeAttribute("data-outcome");
  try {
    const { outcome } = await post(account(name, "end-session"));
    result.textContent = `${name}: ${outcomes[outcome] ?? outcome}`;
    result.dataset.outcome = outcome;
  } catch (error) {
    result.textContent = `${name}: ${error.message}`;
    result.dataset.outcome = "failed";
  }
  await refresh();
  result.focus(); // the button that had the focus may be gone
}

function sortBy(key) {
  view.order = view.sort === key && view.order === "asc" ? "desc" : "asc";
  view.sort = key;
  view.offset = 0;
  for (const th of document.querySelectorAll("#inside th[data-sort]")) {
    if (th.dataset.sort === key) th.setAttribute("aria-sort", view.order === "asc" ? "ascending" : "descending");
    else th.removeAttribute("aria-sort");
  }
  refresh();
}

function turn(pages) {
  view.offset = Math.max(view.offset + pages * perPage, 0);
  refresh();
}

export function listPlayers() {
  const search = byID("inside-search");
  search.form.addEventListener("submit", (e) => e.preventDefault());
  search.addEventListener("input", () => {
    view.search = search.value;
    view.offset = 0;
    refresh();
  });
  for (const th of document.querySelectorAll("#inside th[data-sort]")) {
    th.querySelector("button").addEventListener("click", () => sortBy(th.dataset.sort));
  }
  byID("inside-back").addEventListener("click", () => turn(-1));
  byID("inside-on").addEventListener("click", () => turn(1));
  setInterval(() => {
    if (!document.hidden) refresh();
  }, every);
  refresh();
}
