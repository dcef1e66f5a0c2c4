// What the operator who looks at the page may do: what the role does not allow is not offered.

const roles = ["look", "help", "run", "all"];
let mine = "look"; // until the node has said

// may reports whether the operator has at least a role.
export function may(least) {
  return roles.indexOf(mine) >= roles.indexOf(least);
}

// showRole goes by what the node says of the operator, and reports whether that is news.
export function showRole({ operator, role, login }) {
  const news = mine !== role;
  mine = role;
  document.body.dataset.role = role;
  for (const part of document.querySelectorAll("[data-least]")) part.hidden = !may(part.dataset.least);
  document.getElementById("operator").textContent = login ? `${operator}, who may ${words[role] ?? role}` : "";
  return news;
}

const words = { look: "look", help: "help players", run: "run the game", all: "do everything" };
