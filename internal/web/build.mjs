// Writes the page into dist/, or into the folder given: node build.mjs [folder]
//
// The same sources give the same bytes everywhere. Every file but index.html has a name that changes with its content.
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "dist"));

const { outputFiles } = await build({
  absWorkingDir: here,
  // The account page, the way to another password, the leaderboards and what asks for a passkey are loaded when they
  // are first asked for, with later.css for the first three. What they share with main.js and each other is in each of them: that is little.
  entryPoints: [
    { out: "main", in: "src/main.ts" }, { out: "style", in: "src/style.css" }, { out: "icon", in: "src/icon.svg" },
    { out: "account", in: "src/account/sections.ts" }, { out: "later", in: "src/later.css" },
    { out: "board", in: "src/board.ts" }, { out: "passkey", in: "src/passkey.ts" },
    { out: "recovery", in: "src/recovery/recovery.ts" },
  ],
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022", "chrome116", "firefox124", "safari17.4"],
  charset: "utf8",
  legalComments: "none",
  loader: { ".svg": "copy" },
  write: false,
});

let page = await readFile(join(here, "src/index.html"), "utf8");
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
for (const { path, contents } of outputFiles) {
  const [, name, ext] = /([^/\\]+)(\.[a-z]+)$/.exec(path);
  const hashed = `${name}-${createHash("sha256").update(contents).digest("hex").slice(0, 12)}${ext}`;
  if (!page.includes(`{{${name}${ext}}}`)) throw new Error(`index.html does not refer to ${name}${ext}`);
  page = page.replaceAll(`{{${name}${ext}}}`, hashed);
  await writeFile(join(out, hashed), contents);
}
if (page.includes("{{")) throw new Error("index.html refers to what is not built");
await writeFile(join(out, "index.html"), page.replace(/^\s+/gm, ""));
