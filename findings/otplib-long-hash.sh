#!/usr/bin/env bash
# otplib 12.0.1, a library of JavaScript for one-time passwords, gives other codes than all else for SHA-512, and for
# SHA-256 with the secrets that it makes itself: a secret in base32 that has fewer than 32 bytes (SHA-512) or 16 bytes
# (SHA-256) is repeated until it is long enough, before HMAC takes it. RFC 6238 knows nothing of that; what repeats in
# it are the secrets of its test vectors, which therefore all agree. HMAC takes a key of any length, and
# authenticators give it the secret as it is. Usual secrets have 20 bytes, otplib's own 10. Version 13.5.0 does not
# repeat them, so that with these two hashes what one version has enrolled the other one refuses. With SHA-1 and such
# secrets all agree.
#
# Seen: of the secrets with 10, 20, 32 and 64 bytes otplib 12.0.1 is alone with 10 bytes and SHA-256, 10 and 20 bytes
# and SHA-512; node:crypto, otplib 13.5.0 and speakeasy 2.0.0 agree on all of 16 bytes and more.
# It runs without Rushgate and needs Node.js 20, and from npm the three versions. Exit 0: as seen; 1: something else;
# 2: could not be run.
set -euo pipefail
command -v node >/dev/null || { echo "Node.js is needed"; exit 2; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --no-audit --no-fund --ignore-scripts otplib@12.0.1 new@npm:otplib@13.5.0 speakeasy@2.0.0 >npm.log 2>&1 ||
	{ cat npm.log; exit 2; }
cat >codes.cjs <<'END'
const crypto = require("node:crypto");
const { authenticator } = require("otplib");
const { generateSync } = require("new");
const speakeasy = require("speakeasy");

const time = 1111111109; // of RFC 6238's test vectors
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
function base32(bytes) {
  const bits = [...bytes].map((b) => b.toString(2).padStart(8, "0")).join("");
  return bits.match(/.{1,5}/g).map((five) => letters[parseInt(five.padEnd(5, "0"), 2)]).join("");
}
// code is RFC 4226's truncation of an HMAC, which is given the secret as it is.
function code(secret, algorithm) {
  const counter = Buffer.alloc(8);
  counter.writeUInt32BE(Math.floor(time / 30), 4);
  const mac = crypto.createHmac(algorithm, secret).update(counter).digest();
  const number = mac.readUInt32BE(mac.at(-1) & 15) & 0x7fffffff;
  return String(number % 1e6).padStart(6, "0");
}
let right = code(Buffer.from("12345678901234567890"), "sha1") === "081804"; // the last six of the RFC's eight digits
for (const size of [10, 20, 32, 64]) {
  for (const algorithm of ["sha1", "sha256", "sha512"]) {
    const secret = Buffer.from(Array.from({ length: size }, (_, i) => 65 + (i * 7) % 61)), text = base32(secret);
    const byHand = code(secret, algorithm);
    const old = authenticator.clone({ algorithm, epoch: time * 1000 }).generate(text);
    const others = [speakeasy.totp({ secret: text, encoding: "base32", algorithm, time })];
    if (size >= 16) others.push(generateSync({ secret: text, algorithm, epoch: time })); // it takes none below
    console.log(`${size} bytes, ${algorithm}: HMAC ${byHand}, others ${others.join(" ")}, otplib 12.0.1 ${old}`);
    const alone = (algorithm === "sha256" && size < 16) || (algorithm === "sha512" && size < 32);
    right &&= others.every((o) => o === byHand) && (old !== byHand) === alone;
  }
}
process.exit(right ? 0 : 1);
END
timeout 60 node codes.cjs
