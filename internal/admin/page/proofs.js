// What a player comes in with, and what of that an operator can change: the name, the second factor and the passkeys.
import { account, confirmed, find, paragraph, post, postTwice } from "/actions.js";

const byID = (id) => document.getElementById(id);

// asksForCode reports whether an account asks for the code of an authenticator, by the kinds of its credentials.
export const asksForCode = (kinds) => kinds.includes("totp");

export const hasPasskeys = (kinds) => kinds.includes("passkey");

// factor says what an account can be proved with beside the password.
export function factor(kinds) {
  const passkeys = kinds.filter((kind) => kind === "passkey").length;
  const said = passkeys === 1 ? "1 passkey" : `${passkeys} passkeys`;
  return [asksForCode(kinds) && "authenticator", passkeys && said].filter(Boolean).join(", ") || "none";
}

// others says what opens an account in place of a password: devices that play as guests, and who vouches for the player.
export function others(identities) {
  const host = (issuer) => (URL.canParse(issuer) && new URL(issuer).host) || issuer; // "game:launcher" has no host
  const devices = identities.filter((i) => i.guest).length;
  const said = devices === 1 ? "1 device as a guest" : `${devices} devices as a guest`;
  const providers = identities.filter((i) => !i.guest).map((i) => `${host(i.issuer)} (${i.subject})`);
  return [devices && said, ...providers].filter(Boolean).join(", ") || "none";
}

// showAgain looks a player up again, with what has come of an action, which takes the focus: its button is gone.
async function showAgain(name, result) {
  byID("name").value = name;
  await find(name, result);
  result.tabIndex = -1;
  result.focus();
}

function button(id, text, act) {
  const b = document.createElement("button");
  b.id = id;
  b.className = "danger";
  b.textContent = text;
  b.addEventListener("click", act);
  return b;
}

// askName asks for another name. It returns it, or nothing if the operator has changed their mind.
async function askName(name) {
  const dialog = byID("rename-dialog");
  byID("rename-title").textContent = `Rename ${name}`;
  byID("rename-form").reset();
  dialog.returnValue = "no";
  dialog.showModal();
  byID("rename-name").focus();
  const answer = await new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
  return answer === "yes" ? byID("rename-name").value : undefined;
}

export const renameButton = (name) => button("rename-account", "Rename …", async () => {
  const wanted = await askName(name);
  if (wanted === undefined) return;
  try {
    const changed = await post(account(name, "name"), { name: wanted });
    await showAgain(changed.name, paragraph(`${name} is now ${changed.name}.`));
  } catch (error) {
    await showAgain(name, paragraph(error.message, "problem"));
  }
});

export const removeFactorButton = (name) => button("remove-factor", "Remove the second factor …", async () => {
  const sure = await confirmed(
    `Remove the second factor of ${name}?`,
    "The player is logged out, the devices are forgotten, and a mail says so if there is an address. From then on the " +
      "password alone lets the player in. Make sure who asks. This cannot be undone.",
    "Remove",
  );
  if (!sure) return;
  await remove(name, "remove-second-factor", "The second factor is removed.");
});

export const removePasskeysButton = (name) => button("remove-passkeys", "Remove all passkeys …", async () => {
  const sure = await confirmed(
    `Remove all passkeys of ${name}?`,
    "The player is logged out, and the devices are forgotten. From then on the password lets the player in. " +
      "Make sure who asks. This cannot be undone.",
    "Remove",
  );
  if (sure) await remove(name, "remove-passkeys", "The passkeys are removed.");
});

async function remove(name, what, done) {
  const result = await postTwice(account(name, what))
    .then(() => paragraph(done), (error) => paragraph(error.message, "problem"));
  await showAgain(name, result);
}

export function listenProofs() {
  byID("rename-cancel").addEventListener("click", () => byID("rename-dialog").close("no"));
}
