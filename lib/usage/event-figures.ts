/**
 * Reads token counts from server-sent events while they stream. Most events have none: their bytes are searched for the
 * marks of counts, and only those that have one are parsed.
 */
import { createParser } from 'eventsource-parser';
import { concatenate, findBytes } from '../bytes.ts';
import { JsonSize } from '../json-size.ts';
import { MAX_METERED_BYTES, MAX_METERED_ERRORS, MAX_METERED_VALUES, MIN_LEFT_OUT_BYTES } from '../limits.ts';
import { EventEnds } from '../outgoing/event-stream.ts';
import { countValues, parseJson } from './json-end.ts';
import {
  type Metered,
  MODEL_MARKS,
  mayHoldModel,
  mayHoldTokens,
  readFigures,
  TOKEN_MARKS,
  type TokenFigures,
} from './token-figures.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** The longest escape in a JSON string. */
const ESCAPE_BYTES = '\\u0061'.length;

export function readEvents(): { feed(chunk: Uint8Array): void; end(): Metered } {
  let tokens: TokenFigures | undefined;
  let model: string | undefined;
  /** How many events with a mark were not JSON. A failure to parse is slow. */
  let failures = 0;
  /** The beginning of an event whose end has not arrived. */
  let held: HeldEvent | undefined;
  let areValuesCounted = false;
  const ends = new EventEnds();
  const decoder = new TextDecoder();
  const parser = createParser({ onEvent: ({ data }) => readData(data) });

  function readEnded(bytes: Uint8Array): void {
    const mayHoldFigures =
      hasMark(bytes, TOKEN_MARKS) || (model === undefined && hasMark(bytes, MODEL_MARKS));
    if (!mayHoldFigures) return;
    parser.feed(`${decoder.decode(bytes)}\n\n`);
    parser.reset();
  }

  function readData(data: string): void {
    if (!mayHoldTokens(data) && (model !== undefined || !mayHoldModel(data))) return;
    if (failures > MAX_METERED_ERRORS) return;
    if (!areValuesCounted && countValues(data) > MAX_METERED_VALUES) return;
    const parsed = parseJson(data);
    if (parsed === undefined) failures += 1;
    const found = readFigures(Array.isArray(parsed) ? parsed.at(-1) : parsed);
    // Anthropic reports input counts first and output counts last. Others report all counts each time.
    if (found.tokens !== undefined) tokens = found.isGemini ? found.tokens : { ...tokens, ...found.tokens };
    model = found.model ?? model;
  }

  function readHeld(): void {
    areValuesCounted = true;
    if (held?.isReadable()) readEnded(held.bytes());
    areValuesCounted = false;
    held = undefined;
  }

  return {
    feed(chunk) {
      const firstEnd = held === undefined ? 0 : ends.first(chunk);
      const lastEnd = ends.last(chunk) ?? 0;
      ends.pass(chunk);
      if (firstEnd === undefined) {
        held?.append(chunk);
        return;
      }
      held?.append(chunk.subarray(0, firstEnd));
      readHeld();
      if (lastEnd > firstEnd) readEnded(chunk.subarray(firstEnd, lastEnd));
      if (lastEnd < chunk.length) {
        held = new HeldEvent();
        held.append(chunk.subarray(lastEnd));
      }
    },
    end() {
      // The last event may lack its blank line.
      readHeld();
      return { tokens, model };
    },
  };
}

function hasMark(bytes: Uint8Array, marks: readonly Uint8Array[]): boolean {
  return marks.some((mark) => findBytes(bytes, mark) !== -1);
}

/**
 * An event in pieces, without the middle of its long strings: an image in base64 takes little memory, and parsing the
 * event takes little time.
 */
class HeldEvent {
  #pieces: Uint8Array[] = [];
  #length = 0;
  readonly #size = new JsonSize();

  append(piece: Uint8Array): void {
    const wasInString = this.#size.isInString;
    this.#size.feed(piece);
    if (wasInString && this.#size.isInString && this.#isPlain(piece)) return;
    this.#length += piece.length;
    if (this.#length > MAX_METERED_BYTES) this.#pieces = [];
    else this.#pieces.push(piece);
  }

  /** Few enough bytes and values to be parsed in one turn of the event loop. */
  isReadable(): boolean {
    return this.#length <= MAX_METERED_BYTES && this.#size.values <= MAX_METERED_VALUES;
  }

  bytes(): Uint8Array {
    return concatenate(this.#pieces);
  }

  /** Whether a string stays valid without this piece: nothing in it is escaped, and no escape reaches into it. */
  #isPlain(piece: Uint8Array): boolean {
    if (piece.length < MIN_LEFT_OUT_BYTES) return false;
    const end = this.#pieces.at(-1)?.subarray(-ESCAPE_BYTES);
    const isAfterText = end?.length === ESCAPE_BYTES && !end.includes(BACKSLASH);
    return isAfterText && !piece.includes(QUOTE) && !piece.includes(BACKSLASH);
  }
}
