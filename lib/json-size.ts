/** How many values a JSON text holds and how deep it nests, found without parsing it. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const COMMA = 0x2c;
const [OPEN_ARRAY, OPEN_OBJECT, CLOSE_ARRAY, CLOSE_OBJECT] = [0x5b, 0x7b, 0x5d, 0x7d];

/**
 * Takes the text in pieces. For JSON the figures are exact; for a text that is not JSON they are exact up to the place
 * where a parser would stop. So a text with few values can be parsed in little time.
 */
export class JsonSize {
  /** Objects, arrays and all that is in them. */
  values = 0;
  /** The most objects and arrays that are open at the same time. */
  depth = 0;
  /** Where the last whole object or array in the outermost array begins and ends, in bytes. Both are 0 without one. */
  elementStart = 0;
  elementEnd = 0;
  #offset = 0;
  #openedAt = 0;
  #open = 0;
  #isInString = false;
  #isEscaped = false;
  /** The next token begins a value or, in an object, the name of one. */
  #isBeforeValue = true;

  /** Whether the text so far ends within a string. */
  get isInString(): boolean {
    return this.#isInString;
  }

  feed(bytes: Uint8Array): this {
    let open = this.#open;
    let isBeforeValue = this.#isBeforeValue;
    let at = 0;
    while (at < bytes.length) {
      if (this.#isInString) {
        at = this.#endOfString(bytes, at);
        continue;
      }
      const byte = bytes[at] ?? 0;
      at += 1;
      if (byte <= SPACE) continue;
      const isClosing = byte === CLOSE_ARRAY || byte === CLOSE_OBJECT;
      if (byte === COMMA || (isBeforeValue && !isClosing)) this.values += 1;
      isBeforeValue = byte === OPEN_ARRAY || byte === OPEN_OBJECT;
      if (isBeforeValue) {
        open += 1;
        if (open > this.depth) this.depth = open;
        if (open === 2) this.#openedAt = this.#offset + at - 1;
      } else if (isClosing) {
        open -= 1;
        if (open === 1) {
          this.elementStart = this.#openedAt;
          this.elementEnd = this.#offset + at;
        }
      } else if (byte === QUOTE) this.#isInString = true;
    }
    this.#open = open;
    this.#offset += bytes.length;
    this.#isBeforeValue = isBeforeValue;
    return this;
  }

  /** Where the string ends in which `start` is, or the end of the bytes. */
  #endOfString(bytes: Uint8Array, start: number): number {
    let at = this.#isEscaped ? start + 1 : start;
    this.#isEscaped = false;
    for (; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (byte === BACKSLASH) at += 1;
      // No JSON string holds a line end. A stream of several texts is right again after one that is broken.
      else if (byte === QUOTE || byte === LINE_FEED || byte === CARRIAGE_RETURN) {
        this.#isInString = false;
        return at + 1;
      }
    }
    this.#isEscaped = at > bytes.length;
    return bytes.length;
  }
}
