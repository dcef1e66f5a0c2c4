#!/usr/bin/env bash
# Chromium 156 (Debian 12) keeps the cookie of a server that takes a WebSocket (101) and of one that asks for a
# password (401), and drops that of one that refuses it in any other way, as 403, 429 or 503 do, although the Fetch
# standard has it kept whatever the status, and Chromium does so itself for fetch. So what a proxy or a server gives
# to whom it refuses (which node to stay with, a proof to come back with, the end of a session) never comes back,
# while the same works for fetch, and for the WebSocket that is taken. A page learns neither the status nor this.
#
# Seen: of 101, 401, 403, 429 and 503, each with a cookie: all five kept of fetch (with 200 in place of 101), 101 and
# 401 of WebSockets.
# It runs without Rushgate and needs Node.js 20 and a Chromium (CHROMIUM names it, or it is found in the PATH); from
# npm it installs puppeteer-core 25.16.0. Exit 0: as seen; 1: something else; 2: could not be run.
set -euo pipefail
. "$(dirname "$0")/puppeteer"
cat >cookie.mjs <<'END'
import crypto from "node:crypto";
import http from "node:http";
import puppeteer from "puppeteer-core";

// answer has the status that the path of a request names, and a cookie named after it.
const server = http.createServer((request, answer) => {
  const status = Number(request.url.slice(1));
  if (status) answer.writeHead(status, { "Set-Cookie": `_${status}=1` });
  else answer.setHeader("Content-Type", "text/html"); // the page, and its icon
  answer.end("<!doctype html>");
});
server.on("upgrade", (request, socket) => {
  const status = request.url.slice(1);
  const key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const more = {
    101: ["Upgrade: websocket", "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${crypto.createHash("sha1").update(key).digest("base64")}`],
    401: ["WWW-Authenticate: Basic realm=x", "Content-Length: 0", "Connection: close"],
  }[status] ?? ["Content-Length: 0", "Connection: close"];
  socket.on("error", () => {});
  const lines = [`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`, `Set-Cookie: _${status}=1`, ...more, "", ""];
  if (status === "101") socket.write(lines.join("\r\n"));
  else socket.end(lines.join("\r\n"));
});
await new Promise((up) => server.listen(0, "127.0.0.1", up));
const at = `127.0.0.1:${server.address().port}`;
const browser = await puppeteer.launch({
  executablePath: process.argv[2], headless: true, args: ["--no-sandbox", "--disable-gpu"],
});
let right = true;
try {
  console.log(await browser.version());
  for (const [by, statuses, want] of [
    ["fetch", [200, 401, 403, 429, 503], "_200 _401 _403 _429 _503"],
    ["WebSocket", [101, 401, 403, 429, 503], "_101 _401"],
  ]) {
    const context = await browser.createBrowserContext(), page = await context.newPage();
    await page.goto(`http://${at}/`);
    for (const status of statuses) {
      await page.evaluate((by, at, status) => by === "fetch" ? fetch(`/${status}`).then((a) => a.text()) :
        new Promise((done) => {
          const ws = new WebSocket(`ws://${at}/${status}`);
          ws.onopen = ws.onclose = () => done();
        }), by, at, status);
    }
    await new Promise((later) => setTimeout(later, 500)); // for cookies that are kept late
    const kept = (await page.evaluate(() => document.cookie)).split("; ").map((c) => c.split("=")[0]).sort().join(" ");
    console.log(`${by}, answers ${statuses.join(" ")}: cookies ${kept}`);
    right &&= kept === want;
  }
} finally {
  await browser.close();
}
process.exit(right ? 0 : 1);
END
timeout 120 node cookie.mjs "$chromium"
