// Calls @serenity-kit/opaque, found from the folder of the first argument, for a test: each line of the input is JSON of
// a side, a function of it and what to pass, each line of the output JSON of what it returns, or null.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const opaque = createRequire(process.argv[2] + "/")("@serenity-kit/opaque");
await opaque.ready;
for await (const line of createInterface({ input: process.stdin })) {
  const [side, name, params] = JSON.parse(line);
  console.log(JSON.stringify(opaque[side][name](params) ?? null));
}
