/** Bytes, without copies where none is needed. */

const NOTHING = new Uint8Array(0);

/** One array of all the bytes: the only part itself, otherwise a copy. */
export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const [first = NOTHING] = parts;
  if (parts.length < 2) return first;
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Where `needle` is in the bytes, at `from` or later; -1 if nowhere. */
export function findBytes(bytes: Uint8Array, needle: Uint8Array, from = 0): number {
  // Node's search is several times faster. The edge runtime has no `Buffer`.
  if (typeof Buffer !== 'undefined') {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(needle, from);
  }
  const [first = 0] = needle;
  let at = bytes.indexOf(first, from);
  while (at !== -1 && !hasBytesAt(bytes, at, needle)) at = bytes.indexOf(first, at + 1);
  return at;
}

function hasBytesAt(bytes: Uint8Array, at: number, needle: Uint8Array): boolean {
  return at + needle.length <= bytes.length && needle.every((byte, index) => bytes[at + index] === byte);
}
