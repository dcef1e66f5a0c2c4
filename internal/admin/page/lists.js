// Who comes in when not all may: the staff and the allowlist.
import { confirmed, post } from "/actions.js";
import { may } from "/roles.js";

const byID = (id) => document.getElementById(id);
const every = 10_000; // ms between two looks
const lists = ["staff", "allowlist"];

async function refresh() {
  try {
    const response = await fetch("/lists");
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    for (const list of lists) show(list, answer[list]);
  } catch (error) {
    byID("lists-result").textContent = `The lists cannot be had now: ${error.message}`;
  }
}

function show(list, names) {
  const ul = byID(`list-${list}`);
  const key = JSON.stringify([names, may("run")]);
  if (ul.dataset.shown === key) return; // so that the focus stays where it is
  ul.dataset.shown = key;
  ul.replaceChildren(...names.map((name) => entry(list, name)));
  byID(`no-${list}`).hidden = names.length > 0;
}

function entry(list, name) {
  const li = document.createElement("li");
  li.append(name);
  if (!may("run")) return li;
  const button = document.createElement("button");
  button.textContent = "Remove …";
  button.setAttribute("aria-label", `Remove ${name} from the ${list}`);
  button.addEventListener("click", async () => {
    const text = `${name} then comes in only when the mode lets in others than the ${list}. This is so on every node.`;
    if (await confirmed(`Remove ${name} from the ${list}?`, text, "Remove")) await edit(list, { remove: [name] });
  });
  li.append(" ", button);
  return li;
}

async function edit(list, order) {
  const result = byID("lists-result");
  try {
    const { names } = await post("/lists", { list, ...order });
    show(list, names);
    result.textContent = "Changed, on every node within a second.";
  } catch (error) {
    result.textContent = error.message;
    return false;
  } finally {
    if (order.remove) result.focus(); // the button that had the focus may be gone
  }
  return true;
}

export function listLists() {
  byID("list-form").addEventListener("submit", async (e) => {
    e.preventDefault();
    const names = byID("list-names").value.split(/[\s,]+/).filter(Boolean);
    if (names.length && await edit(byID("list-which").value, { add: names })) e.target.reset();
    byID("list-names").focus();
  });
  setInterval(() => {
    if (!document.hidden) refresh();
  }, every);
  refresh();
}

export { refresh as refreshLists };
