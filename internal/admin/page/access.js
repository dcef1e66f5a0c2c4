// Who may come in: the mode of the doors, and who is banned, on every node of the store.
import { account, confirmed, post } from "/actions.js";
import { may } from "/roles.js";
import { fill } from "/tables.js";

const byID = (id) => document.getElementById(id);
const every = 5000; // ms between two looks
const words = {
  open: "Everybody may come in.", closed: "Nobody may come in.", staff: "Only staff may come in.",
  allowlist: "Only the allowlist and staff may come in.",
};
const when = (t) => new Date(t).toLocaleString();

export async function refresh() {
  try {
    const [mode, bans] = await Promise.all(["/mode", "/bans"].map(async (path) => {
      const response = await fetch(path);
      const answer = await response.json();
      if (!response.ok) throw new Error(answer.error);
      return answer;
    }));
    showMode(mode);
    showBans(bans);
  } catch (error) {
    byID("mode-said").textContent = `This cannot be had now: ${error.message}`;
  }
}

function showMode(state, mine = false) {
  const { mode, message, opens_at, out, by, at } = state;
  const section = byID("mode-card");
  section.dataset.mode = mode;
  byID("mode-now").textContent = words[mode] ?? mode;
  follow(state, mine);
  const said = [
    message && `Players are told “${message}”.`, opens_at && `They are told to come back at ${when(opens_at)}.`,
    out && "Those inside who might not come in are logged out.", by && `Set by ${by}, ${when(at)}.`,
  ];
  byID("mode-said").textContent = said.filter(Boolean).join(" ");
}

// followed is what the form shows by itself, and opensAt the time that mode-opens shows to the minute.
let followed = { mode: "open", message: "", opens: "", out: false };
let opensAt;

// asFilled returns what the form has now.
const asFilled = () => ({
  mode: byID("mode").value, message: byID("mode-message").value, opens: byID("mode-opens").value,
  out: byID("mode-out").checked,
});

// same reports whether two forms ask for the same. At open doors nothing but the mode counts.
const same = (a, b) => a.mode === b.mode &&
  (a.mode === "open" || a.message === b.message && a.opens === b.opens && a.out === b.out);

// follow has the form show what is in force, so that who changes one part of it keeps the others; unless the operator
// has chosen something else or is about to. What is mine has just been set from here.
function follow({ mode, message = "", opens_at, out = false }, mine) {
  const set = { mode, message, opens: opens_at ? localMinute(new Date(opens_at)) : "", out };
  const form = byID("mode-form");
  const chosen = !same(asFilled(), followed) || form.contains(document.activeElement);
  if (!mine && chosen && !same(asFilled(), set)) return;
  followed = set;
  opensAt = opens_at;
  byID("mode").value = mode;
  byID("mode-message").value = message;
  byID("mode-opens").value = set.opens;
  byID("mode-out").checked = out;
  offers();
}

// localMinute writes a time as a field for local times has it.
function localMinute(t) {
  const local = new Date(t.getTime() - t.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

// opening returns the time of return that the form asks for, which is to the second if it is the one in force.
function opening() {
  const { opens } = asFilled();
  return opens === followed.opens && opensAt ? opensAt : new Date(opens).toISOString();
}

function showBans({ bans, total }) {
  const table = byID("bans");
  table.hidden = bans.length === 0;
  byID("no-bans").hidden = !table.hidden;
  byID("bans-count").textContent = bans.length < total ? `the newest ${bans.length} of ${total}` : `${total} now`;
  const held = document.activeElement?.closest("[data-ban]")?.dataset.ban;
  fill(table, bans.map(row));
  if (held) (table.querySelector(`[data-ban="${CSS.escape(held)}"] button`) ?? byID("ban-range-button")).focus();
}

const subject = (ban) => ban.range ?? `Device ${ban.device}`;

function row(ban) {
  const tr = document.createElement("tr");
  tr.dataset.ban = ban.id;
  const th = document.createElement("th");
  th.scope = "row";
  th.textContent = subject(ban) + (ban.except?.length ? `, but for ${ban.except.join(", ")}` : "");
  tr.append(th);
  const cells = [ban.until ? when(ban.until) : "For ever", ban.text || "–", ban.reason || "–", ban.by ?? "–"];
  for (const text of cells) tr.insertCell().textContent = text;
  const cell = tr.insertCell();
  if (!may("run")) return tr;
  const button = document.createElement("button");
  button.textContent = "Lift …";
  button.setAttribute("aria-label", `Lift the ban of ${subject(ban)}`);
  button.addEventListener("click", () => lift(ban));
  cell.append(button);
  return tr;
}

async function lift(ban) {
  if (!await confirmed("Lift this ban?", `${subject(ban)} may come in again at once, on every node.`, "Lift")) return;
  const result = byID("bans-result");
  try {
    await post(`/bans/${encodeURIComponent(ban.id)}/lift`);
    result.textContent = "The ban is lifted.";
  } catch (error) {
    result.textContent = error.message;
  }
  await refresh();
  result.focus(); // the button that had the focus is gone
}

async function setMode(event) {
  event.preventDefault();
  const mode = byID("mode").value;
  const order = { mode };
  if (mode !== "open") {
    order.message = byID("mode-message").value;
    if (byID("mode-opens").value) order.opens_at = opening();
    order.out = byID("mode-out").checked;
  }
  const inside = order.out ? "Players inside who might not are saved and logged out." : "Players inside stay.";
  const question = mode === "open" ? "Open the doors?" : `Set the mode “${mode}”?`;
  if (!await confirmed(question, `${words[mode]} ${inside} This is so on every node.`, "Set")) return;
  const result = byID("mode-result");
  try {
    showMode(await post("/mode", order), true);
    result.textContent = "Set, on every node within a second.";
  } catch (error) {
    result.textContent = error.message;
  }
  result.focus();
}

// offers leaves out what there is nothing to tell of at open doors.
function offers() {
  const open = byID("mode").value === "open";
  for (const part of document.querySelectorAll("[data-closed]")) part.hidden = open;
}

const day = 86_400_000; // ms

// askBan asks whom to ban, of a player if one is given, and has it done. It returns what has come of it, or nothing if
// the operator has changed their mind.
export async function askBan(player) {
  const dialog = byID("ban-dialog");
  const what = byID("ban-what");
  byID("ban-title").textContent = player ? `Ban ${player.name}` : "Ban an address range or a device";
  const subjects = [
    player && ["account", `The account ${player.name}`],
    (!player || player.origin) && ["range", player ? "The network" : "An address range"],
    (!player || player.device) && ["device", player ? "The device" : "A device"],
  ].filter(Boolean);
  what.replaceChildren(...subjects.map(([value, text]) => new Option(text, value)));
  byID("ban-form").reset();
  byID("ban-range").value = player?.origin ?? "";
  byID("ban-device").value = player?.device ?? "";
  showSubject();
  dialog.returnValue = "no";
  dialog.showModal();
  const answer = await new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
  return answer === "yes" ? ban(what.value, player?.name) : undefined;
}

// showSubject shows the field for what is to be banned.
function showSubject() {
  for (const kind of ["range", "device"]) {
    const chosen = byID("ban-what").value === kind;
    byID(`ban-${kind}-field`).hidden = !chosen;
    byID(`ban-${kind}`).required = chosen;
  }
}

async function ban(kind, name) {
  const days = Number(byID("ban-days").value);
  const until = days ? { until: new Date(Date.now() + days * day).toISOString().replace(/\.\d+/, "") } : {};
  const [text, reason] = [byID("ban-text").value, byID("ban-reason").value];
  try {
    if (kind === "account") await post(account(name, "disable"), { ...until, reason: text, note: reason });
    else {
      const order = { ...until, text, reason, [kind]: byID(`ban-${kind}`).value };
      if (kind === "range") order.except = byID("ban-except").value.split(/[\s,]+/).filter(Boolean);
      await post("/bans", order);
    }
  } catch (error) {
    return { text: error.message, failed: true };
  }
  await refresh();
  return { text: kind === "account" ? `${name} is banned.` : "Banned. Players inside leave within a second.", failed: false };
}

export function listen() {
  byID("mode-form").addEventListener("submit", setMode);
  byID("mode").addEventListener("change", offers);
  byID("ban-what").addEventListener("change", showSubject);
  byID("ban-cancel").addEventListener("click", () => byID("ban-dialog").close("no"));
  byID("ban-range-button").addEventListener("click", async () => {
    const done = await askBan();
    if (!done) return;
    byID("bans-result").textContent = done.text;
    byID("bans-result").focus();
  });
  offers();
  setInterval(() => {
    if (!document.hidden) refresh();
  }, every);
  refresh();
}
