// Where a provider sends the browser back to: takes the answer out of the address, has the node make a proof of it, and
// leaves that to the page at /play/, which finds it in the storage of this tab.
"use strict";
(() => {
  const said = document.getElementById("said");
  const again = document.getElementById("again");
  const provider = location.pathname.split("/").pop();
  const answer = location.search.slice(1) || location.hash.slice(1);
  history.replaceState(null, "", location.pathname); // it is good once, and nobody else's to read

  const say = (text, mayTryAgain) => {
    said.textContent = text;
    again.hidden = !mayTryAgain;
  };

  const finish = async () => {
    again.hidden = true;
    let response;
    let body;
    try {
      response = await fetch(`../../v1/identities/${provider}/finish`, {
        method: "POST",
        credentials: "same-origin",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ answer }),
      });
      body = await response.json();
    } catch {
      say("The server could not be reached.", true);
      return;
    }
    if (response.ok) {
      try {
        sessionStorage.setItem("rushgate.identity", JSON.stringify(body));
      } catch {
        say("This browser keeps nothing for this page, so you cannot come in this way.", false);
        return;
      }
      location.replace("../");
      return;
    }
    const wait = Number(body.retry_after_ms) || 0;
    say(String(body.message), false);
    if (wait > 0) setTimeout(() => { again.hidden = false; }, wait);
  };

  again.addEventListener("click", () => { void finish(); });
  if (answer === "") say("There is nothing to see here.", false);
  else void finish();
})();
