// The little of Node.js that the tests use.
declare module "node:test" {
  export function test(name: string, f: () => void | Promise<void>): void;
}
declare module "node:assert/strict" {
  const assert: {
    (ok: unknown, message?: string): asserts ok;
    equal(got: unknown, want: unknown, message?: string): void;
    deepEqual(got: unknown, want: unknown, message?: string): void;
    throws(f: () => unknown, error: object, message?: string): void;
    rejects(p: Promise<unknown>, error: object, message?: string): Promise<void>;
  };
  export default assert;
}
declare module "node:fs" {
  export function readFileSync(path: string, encoding: "utf8"): string;
  export function readdirSync(path: string): string[];
}
declare const process: { env: Record<string, string | undefined> };
