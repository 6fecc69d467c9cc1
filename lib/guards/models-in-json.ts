/**
 * Finds every model that a JSON text names. The text is read token by token, because a parsed object hides duplicate
 * members: some parsers use the first one and some the last. It is read in slices, so that other calls go on meanwhile.
 * Why no library does this: docs/decisions/13-models-in-slices.md
 */
import { MAX_GUARDED_BODY_DEPTH, MAX_GUARDED_BODY_VALUES, MAX_SCAN_SLICE_BYTES } from '../limits.ts';

/** `model`, `models`, `fallback_models`, in upper or lower case: some parsers ignore the case of names. */
const MODEL_NAME = /(?:^|[^a-z])models?$/;
/** Members that describe values by their names: a tool may have a parameter that is called `model`. */
const SCHEMAS = new Set(['properties', '$defs', 'definitions']);
/** The last characters of these names. A plain name that ends otherwise need not be decoded. */
const LAST_CHARACTERS = new Set([...'lLsS'].map((character) => character.charCodeAt(0)));

type ModelsInJson = {
  /** The strings in every member that is called after models, at any depth. */
  readonly models: readonly string[];
  /** The outermost object has a `model`. */
  readonly isNamed: boolean;
};

/**
 * Returns undefined if the models cannot be determined: the text is not JSON in UTF-8, its outermost value is not an
 * object, a member for models contains anything but strings, or the text exceeds the limit of nesting or of values.
 */
export async function modelsInJson(bytes: Uint8Array): Promise<ModelsInJson | undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const scanner = new Scanner(bytes);
  try {
    let isRead = false;
    for (let start = 0; !isRead || start < bytes.length; start += MAX_SCAN_SLICE_BYTES) {
      const end = start + MAX_SCAN_SLICE_BYTES;
      decoder.decode(bytes.subarray(start, end), { stream: end < bytes.length });
      isRead ||= !scanner.goOn(MAX_SCAN_SLICE_BYTES);
      if (!isRead) await new Promise((resolve) => setTimeout(resolve, 0));
    }
  } catch (error) {
    if (error instanceof CannotTell || error instanceof TypeError) return undefined;
    throw error;
  }
  return { models: scanner.models, isNamed: scanner.isNamed };
}

class CannotTell extends Error {}

/** An object or array that is open at this point of the text. */
type Parent = {
  readonly isObject: boolean;
  /** The member whose value it is; undefined for elements of an array. */
  readonly member: string | undefined;
  /** It is a list of models. */
  readonly isModels: boolean;
};

/** What may come next: `first` is a value or the end of an array, `firstName` a name or the end of an object. */
type Next = 'value' | 'first' | 'name' | 'firstName' | 'colon' | 'separator' | 'nothing';

const [QUOTE, BACKSLASH, COLON, COMMA] = [0x22, 0x5c, 0x3a, 0x2c];
const [OPEN_ARRAY, OPEN_OBJECT, CLOSE_ARRAY, CLOSE_OBJECT] = [0x5b, 0x7b, 0x5d, 0x7d];
const LITERALS = ['true', 'false', 'null'].map((word) => new TextEncoder().encode(word));
const [SPACE, ZERO, NINE, MINUS, PLUS, POINT, LARGE_E, SMALL_E, SMALL_U] = [
  0x20, 0x30, 0x39, 0x2d, 0x2b, 0x2e, 0x45, 0x65, 0x75,
];
const [TAB, LINE_FEED, CARRIAGE_RETURN] = [0x09, 0x0a, 0x0d];
const SHORT_ESCAPES = new Set([...'"\\/bfnrt'].map((character) => character.charCodeAt(0)));

/** Reads JSON (RFC 8259) from bytes. */
class Scanner {
  readonly models: string[] = [];
  isNamed = false;
  readonly #bytes: Uint8Array;
  readonly #parents: Parent[] = [];
  #at = 0;
  #values = 0;
  #next: Next = 'value';
  #member: string | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Reads about as many bytes. Returns false at the end of the text. Throws CannotTell. */
  goOn(length: number): boolean {
    const pause = this.#at + length;
    while (this.#at < pause) {
      this.#skipWhiteSpace(pause);
      if (this.#at === pause) break;
      if (this.#at >= this.#bytes.length) {
        if (this.#next !== 'nothing') throw new CannotTell();
        return false;
      }
      this.#readToken(this.#bytes[this.#at] ?? 0);
    }
    return true;
  }

  #readToken(byte: number): void {
    const isEnd = byte === CLOSE_OBJECT || byte === CLOSE_ARRAY;
    const next = this.#next;
    if (next === 'separator' && byte === COMMA) this.#separate();
    else if (next === 'separator' || (isEnd && (next === 'first' || next === 'firstName'))) this.#close(byte);
    else if (next === 'colon') this.#readColon(byte);
    else if (next === 'name' || next === 'firstName') this.#readName(byte);
    else if (next === 'value' || next === 'first') this.#readValue(byte);
    else throw new CannotTell();
  }

  #separate(): void {
    this.#at += 1;
    this.#next = this.#parents.at(-1)?.isObject ? 'name' : 'value';
  }

  #close(byte: number): void {
    const parent = this.#parents.pop();
    if (parent === undefined || byte !== (parent.isObject ? CLOSE_OBJECT : CLOSE_ARRAY))
      throw new CannotTell();
    this.#at += 1;
    this.#endValue();
  }

  #endValue(): void {
    this.#member = undefined;
    this.#next = this.#parents.length === 0 ? 'nothing' : 'separator';
  }

  #readName(byte: number): void {
    if (byte !== QUOTE) throw new CannotTell();
    const start = this.#at;
    const isPlain = this.#skipString();
    const last = this.#bytes[this.#at - 2] ?? 0;
    this.#member = isPlain && !LAST_CHARACTERS.has(last) ? '' : this.#decode(start);
    this.#next = 'colon';
  }

  #readColon(byte: number): void {
    if (byte !== COLON) throw new CannotTell();
    this.#at += 1;
    this.#next = 'value';
  }

  #readValue(byte: number): void {
    this.#values += 1;
    if (this.#values > MAX_GUARDED_BODY_VALUES) throw new CannotTell();
    const parent = this.#parents.at(-1);
    const member = this.#member;
    const isModels = member === undefined ? parent?.isModels === true : isModelName(member);
    const isObject = byte === OPEN_OBJECT;
    if (!isObject && parent === undefined) throw new CannotTell();
    if (isObject || byte === OPEN_ARRAY) {
      // A schema may describe a parameter that is called after models. A list of models holds names only.
      const mayNest = isObject ? SCHEMAS.has(parent?.member ?? '') : member !== undefined;
      if (isModels && !mayNest) throw new CannotTell();
      this.#open({ isObject, member, isModels });
      return;
    }
    if (isModels && byte !== QUOTE) throw new CannotTell();
    const start = this.#at;
    if (byte === QUOTE) this.#skipString();
    else if (byte === MINUS || isDigit(byte)) this.#skipNumber();
    else this.#skipLiteral();
    if (isModels) {
      this.models.push(this.#decode(start));
      this.isNamed ||= this.#parents.length === 1 && member === 'model';
    }
    this.#endValue();
  }

  #open(parent: Parent): void {
    if (this.#parents.length === MAX_GUARDED_BODY_DEPTH) throw new CannotTell();
    this.#parents.push(parent);
    this.#at += 1;
    this.#member = undefined;
    this.#next = parent.isObject ? 'firstName' : 'first';
  }

  #skipWhiteSpace(end: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    while (at < end && isWhiteSpace(bytes[at])) at += 1;
    this.#at = at;
  }

  /** Returns whether the string is plain: ASCII without escapes. */
  #skipString(): boolean {
    const bytes = this.#bytes;
    let isPlain = true;
    for (let at = this.#at + 1; at < bytes.length; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte === QUOTE) {
        this.#at = at + 1;
        return isPlain;
      }
      if (byte < SPACE) throw new CannotTell();
      if (byte > 0x7f) isPlain = false;
      if (byte !== BACKSLASH) continue;
      isPlain = false;
      at += 1;
      if (bytes[at] === SMALL_U) {
        for (const end = at + 4; at < end; at += 1) if (!isHexDigit(bytes[at + 1])) throw new CannotTell();
      } else if (!SHORT_ESCAPES.has(bytes[at] ?? 0)) throw new CannotTell();
    }
    throw new CannotTell();
  }

  #skipNumber(): void {
    if (this.#bytes[this.#at] === MINUS) this.#at += 1;
    if (this.#bytes[this.#at] === ZERO) this.#at += 1;
    else this.#skipDigits();
    if (this.#bytes[this.#at] === POINT) {
      this.#at += 1;
      this.#skipDigits();
    }
    const exponent = this.#bytes[this.#at];
    if (exponent !== LARGE_E && exponent !== SMALL_E) return;
    this.#at += 1;
    const sign = this.#bytes[this.#at];
    if (sign === PLUS || sign === MINUS) this.#at += 1;
    this.#skipDigits();
  }

  #skipDigits(): void {
    const start = this.#at;
    while (isDigit(this.#bytes[this.#at])) this.#at += 1;
    if (this.#at === start) throw new CannotTell();
  }

  #skipLiteral(): void {
    const found = LITERALS.find((word) =>
      word.every((byte, index) => this.#bytes[this.#at + index] === byte),
    );
    if (found === undefined) throw new CannotTell();
    this.#at += found.length;
  }

  /** The string from `start` to here. */
  #decode(start: number): string {
    return String(
      JSON.parse(new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.#bytes.subarray(start, this.#at))),
    );
  }
}

function isWhiteSpace(byte: number | undefined): boolean {
  return byte === SPACE || byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === TAB;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

function isHexDigit(byte: number | undefined): boolean {
  return isDigit(byte) || (byte !== undefined && /[a-f]/i.test(String.fromCharCode(byte)));
}

function isModelName(member: string): boolean {
  return MODEL_NAME.test(member.normalize('NFKC').toLowerCase());
}
