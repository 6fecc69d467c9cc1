/**
 * Changes string members of a JSON text while it streams: bytes in, bytes out. Everything else stays as it is, invalid
 * UTF-8 included. At most one value of 64 KiB is held. Why no library does this: docs/decisions/10-links-as-they-stream.md
 */
import { concatenate } from '../bytes.ts';
import { MAX_LINK_BYTES } from '../limits.ts';
import type { BodyChange } from '../outgoing/body.ts';

/** The longest way to write a character of a name. */
const LONGEST_ESCAPE = '\\u0061'.length;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const WHITE_SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);

/**
 * Replaces every string that is the value of a member with one of these names, at any depth, by what `change` returns.
 * Undefined leaves its bytes as they are. A value that is not valid JSON, or is longer than 64 KiB, becomes the empty
 * string. A value that never ends is left out.
 */
export function changeMembers(
  names: readonly string[],
  change: (value: string) => string | undefined,
): BodyChange {
  const longestName = Math.max(...names.map((name) => name.length)) * LONGEST_ESCAPE;
  let inString = false;
  let isEscaped = false;
  /** The bytes between the quotes so far, up to one more than are needed. */
  let text: number[] = [];
  /** The string that was read last, if only white space has come since. */
  let lastString: string | undefined;
  /** The next value, or the string being read, belongs to one of the names. */
  let isWatched = false;

  function result(): Uint8Array {
    const value = text.length > MAX_LINK_BYTES ? undefined : parseString(text);
    const changed = value === undefined ? '' : change(value);
    if (changed !== undefined) return new TextEncoder().encode(JSON.stringify(changed));
    return Uint8Array.from([QUOTE, ...text, QUOTE]);
  }

  function inside(byte: number): 'goes on' | 'ends' {
    if (byte === QUOTE && !isEscaped) return 'ends';
    isEscaped = byte === BACKSLASH && !isEscaped;
    if (text.length <= (isWatched ? MAX_LINK_BYTES : longestName)) text.push(byte);
    return 'goes on';
  }

  function outside(byte: number): void {
    if (byte === QUOTE) {
      inString = true;
      text = [];
    } else if (byte === COLON) {
      isWatched = lastString !== undefined && names.includes(lastString);
    } else if (!WHITE_SPACE.has(byte)) isWatched = false;
    if (!WHITE_SPACE.has(byte)) lastString = undefined;
  }

  return {
    push(chunk) {
      /** What comes before this is in `parts`, or is held. */
      let done = 0;
      const parts: Uint8Array[] = [];
      for (let index = 0; index < chunk.length; index += 1) {
        const byte = chunk[index] ?? 0;
        if (!inString) {
          outside(byte);
          if (inString && isWatched) parts.push(chunk.subarray(done, index));
          continue;
        }
        if (inside(byte) === 'goes on') continue;
        inString = false;
        if (isWatched) {
          parts.push(result());
          done = index + 1;
        } else lastString = text.length > longestName ? undefined : parseString(text);
        isWatched = false;
      }
      const isHeld = inString && isWatched;
      if (!isHeld) parts.push(chunk.subarray(done));
      // In one piece: an answer of very many links must not become as many chunks.
      return concatenate(parts);
    },
    end: () => new Uint8Array(0),
  };
}

function parseString(bytes: readonly number[]): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
    return String(JSON.parse(`"${text}"`));
  } catch {
    return undefined;
  }
}
