/**
 * Buffers a JSON answer while it streams, in a fixed amount of memory, and parses the buffer. If an answer is too long,
 * only its end is kept: providers write the token counts after the text, images and vectors.
 */

/** The maximum buffered size of one answer. Chat answers are far smaller; images and vectors can be larger. */
const MAX_KEPT_BYTES = 1024 * 1024;
/** At least this much of the end of a longer answer is kept. */
const MIN_END_BYTES = 64 * 1024;
/** How many positions in the end of a longer answer are tried, and in how much text. This limits the parsing time. */
const MAX_TRIES = 8;
const MAX_TRIED_CHARACTERS = 64 * 1024;

const decoder = new TextDecoder();

export class JsonEnd {
  #kept = new Uint8Array(0);
  #length = 0;
  #isWhole = true;

  /** Copies the chunk, so that the connection's own buffer can be freed. */
  append(chunk: Uint8Array): void {
    if (this.#length + chunk.length > MAX_KEPT_BYTES) this.#keepEnd(MIN_END_BYTES);
    if (this.#length + chunk.length > MAX_KEPT_BYTES) this.#keepEnd(0);
    const part = chunk.subarray(-MAX_KEPT_BYTES);
    this.#reserve(this.#length + part.length);
    this.#kept.set(part, this.#length);
    this.#length += part.length;
  }

  /** The buffered text: the whole answer, or its end. */
  text(): string {
    return decoder.decode(this.#kept.subarray(0, this.#length));
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  #keepEnd(bytes: number): void {
    this.#isWhole = false;
    const end = Math.min(this.#length, bytes);
    this.#kept.copyWithin(0, this.#length - end, this.#length);
    this.#length = end;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#kept.length) return;
    const larger = new Uint8Array(Math.min(MAX_KEPT_BYTES, Math.max(bytes, 2 * this.#kept.length)));
    larger.set(this.#kept.subarray(0, this.#length));
    this.#kept = larger;
  }
}

/** The value, or undefined if the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A member that can hold token counts or a model name. */
const MEMBER = /[{,]\s*("(?:usage|usageMetadata|model|modelVersion)"\s*:)/g;

/**
 * Parses the last members of a JSON object, or the last objects of a JSON array, from the end of its text. Returns
 * undefined if none of the named members is among them. The text must include the end of the answer.
 *
 * An opening bracket plus the end of a JSON text is valid JSON only if that end starts at a member of the outermost
 * object. If it starts at a deeper member there is one closing bracket too many, so nested counts are never used.
 */
export function parseEnd(text: string): unknown {
  const end = text.slice(-MAX_TRIED_CHARACTERS).trimEnd();
  const opening = end.endsWith(']') ? '[{' : '{';
  const members = [...end.matchAll(MEMBER)].slice(-MAX_TRIES);
  for (const { 0: match, 1: name = '', index } of members) {
    const parsed = parseJson(opening + end.slice(index + match.length - name.length));
    if (parsed !== undefined) return parsed;
  }
  return undefined;
}
