// Runs the tests in test/ with Node's own test runner, bundled first: Node 20 does not read TypeScript.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = mkdtempSync(join(tmpdir(), "rushgate-web-"));
try {
  const names = readdirSync(join(here, "test")).filter((n) => n.endsWith(".test.ts"));
  buildSync({
    absWorkingDir: here,
    entryPoints: names.map((n) => "test/" + n),
    outdir: out,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    sourcemap: "inline",
    loader: { ".txt": "text" },
    logLevel: "warning",
  });
  const files = names.map((n) => join(out, n.replace(/\.ts$/, ".mjs")));
  const { status, error } = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files], {
    stdio: "inherit",
    env: {
      ...process.env,
      TESTDATA: process.env.TESTDATA ?? join(here, "../../protocol/testdata"),
      LINE_TESTDATA: process.env.LINE_TESTDATA ?? join(here, "../line/testdata"),
    },
  });
  if (error) throw error;
  process.exitCode = status ?? 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
