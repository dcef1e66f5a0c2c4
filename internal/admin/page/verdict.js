// What the node is judged to be: the line at the top with what to do about it, and a word on door, tick and store.

const byID = (id) => document.getElementById(id);
const icons = {
  open: "open", "on-time": "open", "store-answers": "open", busy: "busy", full: "busy", opening: "busy", starting: "busy",
  "door-short": "busy", "tick-late": "tick", "store-slow": "store", "store-away": "store", draining: "draining",
  stopped: "draining", "handed-over": "draining", lost: "lost",
};
const titles = {
  open: "Open", busy: "Busy", full: "Full", opening: "Not open yet", starting: "Starting", "door-short": "Door short of CPU",
  "tick-late": "Tick late", "store-slow": "Store slow", "store-away": "Store away", draining: "Draining",
  stopped: "Stopped", "handed-over": "Handed over", lost: "No figures",
};
let docs = ""; // where the documentation is on the web, once the node has said so

export function showDocsOf(about) {
  docs = about.docs;
}

// starting is said of a node that has answered and has no figures yet.
export const starting = { state: "starting", grade: "known", headline: "Starting. The first figures come in a second." };

// lost is said of a node of which the page hears nothing; its figures are those of a time.
export function lost(heard) {
  const since = heard ? `What is below is as of ${new Date(heard).toLocaleTimeString()}. ` : "";
  return {
    state: "lost", grade: "bad", headline: "No figures: the page has lost the node. Trying again …",
    todo: { text: `${since}If /readyz of the node does not answer either, it is down.`, doc: "operations.md#when-a-node-dies" },
  };
}

// heading returns the words that an anchor was made of.
function heading(doc) {
  const [file, anchor] = doc.split("#");
  const words = anchor.replaceAll("-", " ");
  return `${file}: ${words[0].toUpperCase()}${words.slice(1)}`;
}

function showTodo(todo) {
  byID("todo").hidden = !todo;
  if (!todo) return;
  byID("todo-text").textContent = todo.text;
  const link = byID("todo-doc");
  link.hidden = !docs;
  link.href = docs + todo.doc;
  link.textContent = heading(todo.doc);
}

// showJudgement writes the line at the top. Only another state is said aloud, not every change of the numbers in it.
export function showJudgement({ state, grade, headline, todo, parts }) {
  const box = byID("status");
  byID("headline").textContent = headline;
  showTodo(todo);
  box.dataset.grade = grade;
  for (const part of parts ?? []) {
    const tile = document.querySelector(`[data-part="${part.part}"]`);
    tile.dataset.state = part.state;
    tile.dataset.grade = part.grade;
    tile.querySelector(".said").textContent = part.text;
  }
  byID("parts").dataset.stale = String(!parts);
  if (box.dataset.state === state) return;
  box.dataset.state = state;
  byID("status-icon").setAttribute("href", `#i-${icons[state] ?? "lost"}`);
  byID("announce").textContent = headline;
  document.title = `${titles[state] ?? state} – Rushgate`;
}
