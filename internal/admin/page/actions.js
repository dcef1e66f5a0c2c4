// What an operator can have the node do. What others notice is asked for once more before it happens.
import { askBan } from "/access.js";
import {
  asksForCode, factor, hasPasskeys, others, removeFactorButton, removePasskeysButton, renameButton,
} from "/proofs.js";
import { may } from "/roles.js";

// account is where the node has an account, and what can be done with it.
export const account = (name, what = "") => `/accounts/${encodeURIComponent(name)}${what && `/${what}`}`;

export async function post(path, body = {}) {
  return answered(await send(path, body));
}

const send = (path, body) =>
  fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

// postTwice orders what cannot be undone, which its caller has asked the operator about.
export async function postTwice(path, body = {}) {
  const response = await send(path, body);
  if (response.status !== 409) return answered(response);
  const { error, confirm } = await response.json();
  if (!confirm) throw new Error(error);
  return post(path, { ...body, confirm });
}

async function answered(response) {
  if (response.status === 401) {
    location.assign("/login");
    throw new Error("You are logged out.");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The node answers ${response.status}.`);
  return answer;
}

// closing is done when the last question has been answered.
let closing = Promise.resolve();

export async function confirmed(title, text, verb) {
  const dialog = document.getElementById("confirm");
  await closing; // a question that was closed a moment ago must not answer this one
  document.getElementById("confirm-title").textContent = title;
  document.getElementById("confirm-text").textContent = text;
  document.getElementById("confirm-yes").textContent = verb;
  dialog.returnValue = "no";
  dialog.showModal();
  const answer = new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
  closing = answer;
  return answer;
}

export function paragraph(text, className) {
  const p = document.createElement("p");
  p.textContent = text;
  if (className) p.className = className;
  return p;
}

const places = {
  here: "Inside, on this node",
  elsewhere: "Inside at another node, or held by a node that has died for up to a minute",
  nowhere: "Not inside",
  "not-here": "Not on this node; perhaps on another one",
};
const connections = { udp: "UDP", websocket: "WebSocket", none: "None" };
export const outcomes = {
  ended: "The session has ended. The player is saved and logged out.",
  elsewhere: "The session is at another node, which has been asked to end it. Within a few seconds the player is saved and logged out.",
  "not-inside": "There is no session to end.",
};

function playtime(ms) {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return "less than a minute";
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// isBanned reports whether an account is kept out now.
const isBanned = (account) => account.disabled_until && Date.parse(account.disabled_until) > Date.now();

function banned(account) {
  if (!isBanned(account)) return "no";
  const until = new Date(account.disabled_until);
  const end = until.getUTCFullYear() >= 9999 ? "for ever" : `until ${until.toLocaleString()}`;
  return account.disabled_reason ? `${end}; the player is told “${account.disabled_reason}”` : end;
}

// email says whether there is an address. The address itself is nobody's business but the player's.
function email(credentials) {
  if (credentials.includes("email")) return "proved; the address is not shown";
  return credentials.includes("email-pending") ? "not proved yet" : "none";
}

function facts({ account, live, devices, identities }) {
  const player = live ?? { ...account, id: account.player_id, inside: "not-here" };
  const dl = document.createElement("dl");
  dl.className = "facts-of";
  const rows = {
    Name: ["name", player.name],
    "Player id": ["id", player.id],
    Where: ["inside", places[player.inside] ?? player.inside],
    Connection: ["connection", connections[player.connection] ?? player.connection],
    Level: ["level", player.level],
    Experience: ["xp", player.xp],
    Deaths: ["deaths", player.deaths],
    Zone: ["zone", player.zone || "none yet"],
    Playtime: ["playtime", playtime(player.playtime_ms)],
    Banned: ["banned", banned(account)],
    Registered: ["created", new Date(player.created_at).toLocaleString()],
    "Password hash": ["hash", `${player.hash_scheme}, ${player.hash_cost}`],
    "E-mail": ["email", email(account.credentials ?? [])],
    "Second factor": ["factor", factor(account.credentials ?? [])],
    "Other ways in": ["identities", others(identities ?? [])],
    Devices: ["devices", devices.map((d) => d.label).join(", ") || "none is remembered"],
    Record: ["version", `version ${player.record_version}`],
  };
  for (const [term, [field, value]] of Object.entries(rows)) {
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = term;
    dd.textContent = value;
    dd.dataset.player = field;
    dl.append(dt, dd);
  }
  return dl;
}

async function endSession(player, button) {
  const sure = await confirmed(
    `End the session of ${player.name}?`,
    "The player is saved and logged out at once, and can log in again.",
    "End session",
  );
  if (!sure) return;
  button.disabled = true;
  let result;
  try {
    const { outcome } = await post(account(player.name, "end-session"));
    result = paragraph(outcomes[outcome] ?? outcome);
    result.dataset.outcome = outcome;
  } catch (error) {
    result = paragraph(error.message, "problem");
  }
  await find(player.name, result);
  result.tabIndex = -1; // the button that had the focus is gone
  result.focus();
}

// past lists what has happened to an account, the newest first.
function past(history) {
  const list = document.createElement("ul");
  list.className = "past";
  for (const event of history) {
    const item = document.createElement("li");
    item.dataset.kind = event.kind;
    const by = [event.by && `by ${event.by}`, event.from && `from ${event.from}`].filter(Boolean).join(" ");
    item.textContent = [new Date(event.at).toLocaleString(), event.kind, by, event.text].filter(Boolean).join(" · ");
    list.append(item);
  }
  return list;
}

// noteForm lets an operator write something down about an account.
function noteForm(name) {
  const form = document.createElement("form");
  form.className = "row";
  const label = document.createElement("label");
  const input = document.createElement("input");
  const button = document.createElement("button");
  Object.assign(input, { id: "note", name: "text", required: true, maxLength: 500, autocomplete: "off" });
  label.htmlFor = input.id;
  label.textContent = "Note for operators";
  button.textContent = "Note";
  form.append(label, input, button);
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    let result = paragraph("Noted.");
    try {
      await post(account(name, "notes"), { text: input.value });
    } catch (error) {
      result = paragraph(error.message, "problem");
    }
    await find(name, result);
    document.getElementById("note")?.focus();
  });
  return form;
}

// banButton bans an account, or lifts its ban.
function banButton(who) {
  const button = document.createElement("button");
  const lifts = isBanned(who);
  button.id = "ban-account";
  button.textContent = lifts ? "Lift the ban …" : "Ban …";
  if (!lifts) button.className = "danger";
  button.addEventListener("click", async () => {
    let result;
    if (!lifts) {
      const done = await askBan({ name: who.name });
      if (!done) return;
      result = paragraph(done.text, done.failed ? "problem" : undefined);
    } else {
      if (!await confirmed(`Lift the ban of ${who.name}?`, "The player may log in again at once.", "Lift")) return;
      result = await post(account(who.name, "enable"))
        .then(() => paragraph("The ban is lifted."), (error) => paragraph(error.message, "problem"));
    }
    await find(who.name, result);
    result.tabIndex = -1; // the button that had the focus is gone
    result.focus();
  });
  return button;
}

// find shows what there is to see of a player, and beneath it what has come of the last action.
export async function find(name, result) {
  const found = document.getElementById("found");
  const shown = [];
  try {
    const page = await answered(await fetch(account(name)));
    const player = page.live ?? page.account;
    shown.push(facts(page), past(page.history));
    if (may("help")) shown.push(noteForm(player.name));
    const buttons = [];
    if (may("help") && player.inside !== "nowhere") {
      const button = document.createElement("button");
      button.id = "end-session";
      button.className = "danger";
      button.textContent = "End session …";
      button.addEventListener("click", () => endSession(player, button));
      buttons.push(button);
    }
    if (may("help")) buttons.push(renameButton(player.name));
    if (may("run") && asksForCode(page.account.credentials ?? [])) buttons.push(removeFactorButton(player.name));
    if (may("run") && hasPasskeys(page.account.credentials ?? [])) buttons.push(removePasskeysButton(player.name));
    if (may("run")) buttons.push(banButton(page.account));
    const row = document.createElement("div");
    row.className = "row";
    row.append(...buttons);
    if (buttons.length) shown.push(row);
  } catch (error) {
    shown.push(paragraph(error.message, "problem"));
  }
  if (result) shown.push(result);
  found.replaceChildren(...shown);
}

const wanted = { query: undefined, cursor: "", looked: 0, names: [] };

// search asks for the next part of what is searched for: the node looks through a part of the accounts at a time.
async function search() {
  const { by, value } = wanted.query;
  const note = document.getElementById("search-note");
  note.textContent = "Looking …";
  try {
    const page = by === "prefix" || by === "id"
      ? await answered(await fetch(`/accounts?${new URLSearchParams({ [by]: value, cursor: wanted.cursor })}`))
      : await post("/accounts/find", { [by]: value, cursor: wanted.cursor });
    wanted.cursor = page.cursor;
    wanted.looked += page.looked ?? 0;
    wanted.names.push(...page.accounts.map((a) => a.name));
    const looked = wanted.looked ? `, ${wanted.looked} accounts looked at` : "";
    note.textContent = `${wanted.names.length} found${looked}${page.cursor ? "; there may be more" : ""}.`;
  } catch (error) {
    note.textContent = error.message;
  }
  document.getElementById("search-on").hidden = !wanted.cursor;
  document.getElementById("search-found").replaceChildren(...wanted.names.map((name) => {
    const li = document.createElement("li");
    const button = document.createElement("button");
    button.className = "quiet link";
    button.textContent = name;
    button.addEventListener("click", () => {
      document.getElementById("name").value = name;
      find(name);
    });
    li.append(button);
    return li;
  }));
}

async function drain(button) {
  const sure = await confirmed(
    "Drain this node?",
    "Newcomers are turned away, everyone inside is saved and logged out, and then the process ends. This cannot be undone.",
    "Drain",
  );
  if (!sure) return;
  const result = document.getElementById("drain-result");
  button.disabled = true;
  try {
    await postTwice("/drain");
    result.textContent = "The node is draining.";
  } catch (error) {
    result.textContent = error.message;
    button.disabled = false;
  }
}

export function listen() {
  document.getElementById("find").addEventListener("submit", (e) => {
    e.preventDefault();
    find(new FormData(e.target).get("name"));
  });
  document.getElementById("search").addEventListener("submit", (e) => {
    e.preventDefault();
    const [by, value] = ["search-by", "search-for"].map((id) => document.getElementById(id).value.trim());
    Object.assign(wanted, { query: { by, value }, cursor: "", looked: 0, names: [] });
    search();
  });
  document.getElementById("search-on").addEventListener("click", search);
  const button = document.getElementById("drain");
  button.addEventListener("click", () => drain(button));
}
