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

const common = {
  absWorkingDir: here,
  outdir: "dist",
  bundle: true,
  minify: true,
  target: ["es2022", "chrome116", "firefox124", "safari17.4"],
  charset: "utf8",
  legalComments: "none",
  loader: { ".svg": "copy", ".txt": "text" },
  write: false,
};
const { outputFiles } = await build({
  ...common,
  // The account page, the way to another password and the leaderboards are loaded when they are first asked for, with
  // later.css, what proves a password by OPAQUE when it is first needed, and the other ways in after the form is there.
  // What they share with main.js and each other is in each of them: that is little.
  entryPoints: [
    { out: "main", in: "src/main.ts" }, { out: "style", in: "src/style.css" }, { out: "icon", in: "src/icon.svg" },
    { out: "account", in: "src/account/sections.ts" }, { out: "later", in: "src/later.css" },
    { out: "board", in: "src/board.ts" }, { out: "recovery", in: "src/recovery/recovery.ts" },
    { out: "opaque", in: "src/opaque/opaque.ts" }, { out: "others", in: "src/others.ts" },
  ],
  format: "esm",
});
// The worker imports nothing, so it need not be a module.
const { outputFiles: workers } = await build({
  ...common, entryPoints: [{ out: "opaque-worker", in: "src/opaque/worker.ts" }], format: "iife",
});

let page = await readFile(join(here, "src/index.html"), "utf8");
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
for (const { path, contents } of [...outputFiles, ...workers]) {
  const [, name, ext] = /([^/\\]+)(\.[a-z]+)$/.exec(path);
  const hashed = `${name}-${createHash("sha256").update(contents).digest("hex").slice(0, 12)}${ext}`;
  if (!page.includes(`{{${name}${ext}}}`)) throw new Error(`index.html does not refer to ${name}${ext}`);
  page = page.replaceAll(`{{${name}${ext}}}`, hashed);
  await writeFile(join(out, hashed), contents);
}
if (page.includes("{{")) throw new Error("index.html refers to what is not built");
await writeFile(join(out, "index.html"), page.replace(/^\s+/gm, ""));
