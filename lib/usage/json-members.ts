/**
 * A few members out of a JSON text that arrives in pieces, at any size, while no more of it is held than those
 * members themselves. It follows well-formed JSON; on anything else it finds nothing and never throws.
 */

/** What one value found may weigh. A longer one counts as not found. */
const MAX_VALUE_BYTES = 16 * 1024;
/** Names of interest are shorter; a longer one is some other member's. */
const MAX_NAME_BYTES = 32;
/** Interest ends below this depth: root object, `response` or `message` in it, their members. */
const MAX_PATH = 2;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

export type JsonMembers = {
  feed(bytes: Uint8Array): void;
  /** What was found since the last time, parsed; the last value of each path counts. Starts afresh. */
  take(): ReadonlyMap<string, unknown>;
};

/**
 * Finds the values at these paths (`usage`, `response.usage`) of the root object. Several roots in turn, and the
 * elements of a root array, are looked at alike.
 */
export function findJsonMembers(paths: ReadonlySet<string>): JsonMembers {
  const parents = new Set(
    [...paths].flatMap((path) => (path.includes('.') ? [path.split('.')[0] ?? ''] : [])),
  );
  let found = new Map<string, Uint8Array>();
  let depth = 0;
  /** 1 where the root is an array, whose elements are then the objects looked at. */
  let rootDepth = 0;
  /** Names on the way to the present value, from the root object down. */
  let path: string[] = [];
  let inString = false;
  let isEscaped = false;
  /** Bytes of a string that may be a member's name; undefined where none is expected. */
  let name: number[] | undefined;
  let expectsName = false;
  let lastString: string | undefined;
  /** The value that is being taken down, and the depth at which it ends. */
  let value: { readonly path: string; readonly depth: number; bytes: number[] } | undefined;

  function reset(): void {
    found = new Map();
    depth = 0;
    rootDepth = 0;
    path = [];
    inString = false;
    isEscaped = false;
    name = undefined;
    expectsName = false;
    lastString = undefined;
    value = undefined;
  }

  const level = () => depth - rootDepth;
  /** Only inside the root object and those members of it that lead to a path. */
  const isOfInterest = () => level() >= 1 && level() <= MAX_PATH && path.length === level() - 1;

  function endValue(): void {
    if (value === undefined || depth !== value.depth) return;
    if (value.bytes.length <= MAX_VALUE_BYTES) found.set(value.path, Uint8Array.from(value.bytes));
    value = undefined;
  }

  /** Where the next byte is that matters: most of an answer is the text of strings that nobody asked for. */
  function skipString(bytes: Uint8Array, from: number): number {
    let index = from;
    if (isEscaped) return index;
    while (index < bytes.length && bytes[index] !== QUOTE && bytes[index] !== BACKSLASH) index += 1;
    return index;
  }

  function inside(byte: number): void {
    if (name !== undefined && name.length <= MAX_NAME_BYTES && byte !== QUOTE) name.push(byte);
    if (isEscaped) isEscaped = false;
    else if (byte === BACKSLASH) isEscaped = true;
    else if (byte === QUOTE) {
      inString = false;
      if (name !== undefined) lastString = String.fromCharCode(...name);
      name = undefined;
    }
  }

  function outside(byte: number): void {
    switch (byte) {
      case QUOTE:
        inString = true;
        name = expectsName ? [] : undefined;
        expectsName = false;
        return;
      case COLON:
        if (value === undefined && lastString !== undefined && isOfInterest()) enterMember(lastString);
        lastString = undefined;
        return;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        depth += 1;
        if (byte === OPEN_BRACKET && depth === 1) rootDepth = 1;
        expectsName = byte === OPEN_BRACE && value === undefined && isOfInterest();
        return;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        // The end of an object is also the end of a number or a word that stood last in it.
        endValue();
        depth = Math.max(0, depth - 1);
        if (depth === 0) rootDepth = 0;
        leaveMember();
        expectsName = false;
        return;
      case COMMA:
        endValue();
        leaveMember();
        expectsName = value === undefined && isOfInterest();
        return;
      default:
    }
  }

  function enterMember(member: string): void {
    const whole = [...path, member].join('.');
    if (paths.has(whole)) value = { path: whole, depth, bytes: [] };
    else if (path.length === 0 && parents.has(member)) path = [member];
  }

  function leaveMember(): void {
    if (level() <= 1) path = [];
  }

  return {
    feed(bytes) {
      for (let index = 0; index < bytes.length; index += 1) {
        if (inString && name === undefined && value === undefined) index = skipString(bytes, index);
        const byte = bytes[index];
        if (byte === undefined) return;
        const taken = value;
        if (inString) inside(byte);
        else outside(byte);
        // The byte that ended the value is not part of it, and `:` came before it.
        if (taken !== undefined && taken === value && taken.bytes.length <= MAX_VALUE_BYTES) {
          taken.bytes.push(byte);
        }
      }
    },
    take() {
      const values = new Map([...found].flatMap(([at, bytes]) => parse(at, bytes)));
      reset();
      return values;
    },
  };
}

function parse(path: string, bytes: Uint8Array): [string, unknown][] {
  try {
    return [[path, JSON.parse(new TextDecoder().decode(bytes))]];
  } catch {
    return [];
  }
}
