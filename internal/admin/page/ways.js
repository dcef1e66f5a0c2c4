// How players come in without a password: as guests, and by providers that vouch for them.
const byID = (id) => document.getElementById(id);

const parts = ["proven", "refused", "failed"];

// now says how a provider fares.
function now(provider) {
  const at = provider.failed_at && `last failed ${new Date(provider.failed_at).toLocaleTimeString()}`;
  if (provider.circuit_open) return ["left alone for a moment", at].filter(Boolean).join("; ");
  return at || "no failure";
}

function newRow(body, name) {
  const row = body.insertRow();
  row.dataset.provider = name;
  const th = document.createElement("th");
  th.scope = "row";
  const fares = document.createElement("span"); // beneath the name: phones have no room for a column
  fares.className = "muted fares";
  th.append(name, " ", fares);
  row.append(th);
  for (const part of parts) {
    const data = document.createElement("data");
    data.dataset.part = part;
    row.insertCell().append(data);
  }
  return row;
}

function showProvider(row, provider, number) {
  const failed = provider.away + provider.misconfigured;
  const values = { proven: provider.proven, refused: provider.refused, failed };
  for (const data of row.querySelectorAll("data")) {
    data.value = values[data.dataset.part];
    data.textContent = number(data.value);
  }
  row.dataset.circuit = provider.circuit_open ? "open" : "closed";
  const fares = row.querySelector(".fares");
  fares.textContent = now(provider);
  fares.classList.toggle("problem", provider.circuit_open);
}

// showWays shows what a sample says of them; nothing where players come in by passwords alone.
export function showWays(identities, number) {
  byID("ways-card").hidden = !identities;
  if (!identities) return;
  const { providers } = identities;
  byID("ways-table").hidden = providers.length === 0;
  const body = byID("ways");
  const rows = new Map([...body.rows].map((row) => [row.dataset.provider, row]));
  for (const provider of providers) {
    showProvider(rows.get(provider.name) ?? newRow(body, provider.name), provider, number);
    rows.delete(provider.name);
  }
  for (const gone of rows.values()) gone.remove(); // out of the operator's file
}
