// Names that nobody can guess.

/** Returns 128 random bits. Not crypto.randomUUID, which plain HTTP beyond loopback does not have. */
export function randomID(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}
