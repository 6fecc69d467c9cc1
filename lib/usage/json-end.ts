/**
 * Buffers a JSON answer while it streams, in a fixed amount of memory, and parses the buffer. If an answer is too long,
 * only its end is kept: providers write the token counts after the text, images and vectors.
 */
import { JsonSize } from '../json-size.ts';
import {
  MAX_METERED_BYTES,
  MAX_METERED_END_CHARACTERS,
  MAX_METERED_END_TRIES,
  MAX_METERED_END_VALUES,
  MAX_METERED_VALUES,
  MIN_METERED_END_BYTES,
} from '../limits.ts';

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export class JsonEnd {
  #kept = new Uint8Array(0);
  #length = 0;
  #isWhole = true;

  /** Copies the chunk, so that the connection's own buffer can be freed. */
  append(chunk: Uint8Array): void {
    if (this.#length + chunk.length > MAX_METERED_BYTES) this.#keepEnd(MIN_METERED_END_BYTES);
    if (this.#length + chunk.length > MAX_METERED_BYTES) this.#keepEnd(0);
    const part = chunk.subarray(-MAX_METERED_BYTES);
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

  /** How large the buffered JSON is. */
  size(): JsonSize {
    return new JsonSize().feed(this.#kept.subarray(0, this.#length));
  }

  /**
   * The elements of a JSON array that was cut off, as Gemini's answers are when a caller leaves. The element in which it
   * was cut off is dropped. Of very many elements, only the last one is returned. Undefined if the text is no such array.
   */
  cutArray({ values, elementStart, elementEnd }: JsonSize): unknown {
    if (elementEnd === 0 || !this.text().trimStart().startsWith('[')) return undefined;
    const start = values > MAX_METERED_VALUES ? elementStart : 0;
    const elements = decoder.decode(this.#kept.subarray(start, elementEnd));
    const text = `${start === 0 ? '' : '['}${elements}]`;
    return start !== 0 && countValues(text) > MAX_METERED_VALUES ? undefined : parseJson(text);
  }

  #keepEnd(bytes: number): void {
    this.#isWhole = false;
    const end = Math.min(this.#length, bytes);
    this.#kept.copyWithin(0, this.#length - end, this.#length);
    this.#length = end;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#kept.length) return;
    const larger = new Uint8Array(Math.min(MAX_METERED_BYTES, Math.max(bytes, 2 * this.#kept.length)));
    larger.set(this.#kept.subarray(0, this.#length));
    this.#kept = larger;
  }
}

/** The value, or undefined if the text is not JSON. The caller bounds the number of values. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** How many values the text holds: what parsing it costs. */
export function countValues(text: string): number {
  return new JsonSize().feed(encoder.encode(text)).values;
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
  const end = text.slice(-MAX_METERED_END_CHARACTERS).trimEnd();
  const opening = end.endsWith(']') ? '[{' : '{';
  const members = [...end.matchAll(MEMBER)].slice(-MAX_METERED_END_TRIES);
  for (const { 0: match, 1: name = '', index } of members) {
    const tail = opening + end.slice(index + match.length - name.length);
    const parsed = countValues(tail) > MAX_METERED_END_VALUES ? undefined : parseJson(tail);
    if (parsed !== undefined) return parsed;
  }
  return undefined;
}
