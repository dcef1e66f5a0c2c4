#!/usr/bin/env bash
# Chromium 156 (Debian 12) holds back a page's new WebSocket for 1 to 5 seconds, before it sends a single byte, once
# some sixteen of its WebSockets have failed to connect: from the twelfth on it is felt, though all of them were
# refused at once. It does so also when the page has been loaded again, and when the WebSocket is for another server,
# which has refused nobody; fetch waits for none of this. A few that connect end it. Nothing tells the page, which
# sees a server that is slow to answer, and a server sees nothing at all. So a page that tries again and again while a
# server restarts comes back seconds late, whatever pause it chose itself; one that asks by fetch whether the server
# is there, and opens the WebSocket then, comes at once. Forty WebSockets opened at the same time by a page with no
# failure behind it, to a server that takes all, are held back in the same way.
#
# Seen: the first tries fail in 0.02 s, those from the 17th on take 1 to 5 s, and so do one after a reload to a server
# that takes it, and most of 40 at once; a fetch from that server 0.03 s.
# It runs without Rushgate, for about a minute, and needs Node.js 20 and a Chromium (CHROMIUM names it, or it is found
# in the PATH); from npm it installs puppeteer-core 25.16.0. Exit 0: as seen; 1: something else; 2: could not be run.
set -euo pipefail
. "$(dirname "$0")/puppeteer"
cat >delay.mjs <<'END'
import crypto from "node:crypto";
import http from "node:http";
import puppeteer from "puppeteer-core";

async function serve(upgrade) {
  const server = http.createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<!doctype html>"));
  server.on("upgrade", upgrade);
  await new Promise((up) => server.listen(0, "127.0.0.1", up));
  return `127.0.0.1:${server.address().port}`;
}
function refuse(_, socket) {
  socket.end("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}
function accept(request, socket) {
  const key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  socket.on("error", () => {});
  socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${crypto.createHash("sha1").update(key).digest("base64")}\r\n\r\n`);
}
const refusing = await serve(refuse), accepting = await serve(accept);
const browser = await puppeteer.launch({
  executablePath: process.argv[2], headless: true, args: ["--no-sandbox", "--disable-gpu"],
});
let right = true;
const expect = (what, ms, ok) => { console.log(`${what}: ${ms} ms`); right &&= ok; };
try {
  console.log(await browser.version());
  // connect opens n WebSockets at once and returns how long each took to open, or to fail.
  const connect = (page, at, n = 1) => page.evaluate((url, n) => Promise.all(Array.from({ length: n }, () => {
    const from = performance.now(), ws = new WebSocket(url);
    return new Promise((done) => { ws.onopen = ws.onclose = () => done(Math.round(performance.now() - from)); });
  })), `ws://${at}/`, n);
  const middle = (of) => [...of].sort((a, b) => a - b)[of.length >> 1];

  const page = await browser.newPage();
  await page.goto(`http://${refusing}/`);
  const failed = [];
  for (let i = 0; i < 22; i++) failed.push(...await connect(page, refusing));
  expect("one after the other, refused", failed.join(" "), middle(failed.slice(0, 5)) < 500);
  right &&= failed.slice(17).every((ms) => ms >= 1000);

  await page.reload();
  const [other] = await connect(page, accepting);
  expect("after a reload, accepted by another server", other, other >= 1000);
  const fetched = await page.evaluate(async (url) => {
    const from = performance.now();
    await (await fetch(url, { mode: "no-cors" })).text();
    return Math.round(performance.now() - from);
  }, `http://${accepting}/`);
  expect("a fetch from that server", fetched, fetched < 500);
  let last;
  for (let i = 0; i < 8; i++) [last] = await connect(page, accepting);
  expect("the ninth that is accepted", last, last < 500);
  await page.close();

  const context = await browser.createBrowserContext(); // a process with no failure behind it
  const fresh = await context.newPage();
  await fresh.goto(`http://${accepting}/`);
  const forty = (await connect(fresh, accepting, 40)).sort((a, b) => a - b);
  expect("40 at once, accepted", forty.join(" "), forty[0] < 500 && middle(forty) >= 1000);
} finally {
  await browser.close();
}
process.exit(right ? 0 : 1);
END
timeout 240 node delay.mjs "$chromium"
