/**
 * Reads token counts out of a provider's answer while the answer passes by. It holds nothing back, keeps a bounded
 * amount of each answer, and does not estimate: an answer without counts is a call without counts.
 */
import { createParser } from 'eventsource-parser';
import { MAX_METERED_EVENT_CHARACTERS, MAX_READ_AHEAD_CHUNKS } from '../limits.ts';
import type { Answer } from '../outgoing/send.ts';
import { JsonEnd, parseEnd, parseJson } from './json-end.ts';
import {
  type Metered,
  mayHoldModel,
  mayHoldTokens,
  readFigures,
  type TokenFigures,
} from './token-figures.ts';

export type { Metered } from './token-figures.ts';

/**
 * The answer, with a body to be read in place of the given one, and what it reported. `metered` resolves once the
 * body has ended, has failed or was given up. Undefined where there is nothing to read: the answer is a failure, or
 * neither JSON nor server-sent events.
 */
export function meterAnswer(
  answer: Answer,
  signal?: AbortSignal,
): { readonly answer: Answer; readonly metered: Promise<Metered> } | undefined {
  const reader = answer.status >= 200 && answer.status < 300 ? createReader(answer.headers) : undefined;
  if (reader === undefined) return undefined;
  let finish = (_isComplete: boolean) => {};
  const metered = new Promise<Metered>((resolve) => {
    const giveUp = () => finish(false);
    finish = (isComplete) => {
      signal?.removeEventListener('abort', giveUp);
      resolve(reader.end(isComplete));
    };
    signal?.addEventListener('abort', giveUp, { once: true });
  });
  const body = watch(answer.body, reader.feed, finish, reader.readAhead);
  return { answer: { ...answer, body }, metered };
}

type Reader = {
  feed(bytes: Uint8Array): void;
  /** `isComplete`: the answer came to its end. Else the caller left, or the connection broke. */
  end(isComplete: boolean): Metered;
  /** How many chunks may wait for the caller. */
  readonly readAhead: number;
};

function createReader(headers: Headers): Reader | undefined {
  if ((headers.get('content-encoding') ?? 'identity') !== 'identity') return undefined;
  const type = headers.get('content-type') ?? '';
  if (/^text\/event-stream\b/i.test(type)) return readEvents();
  if (/^application\/([\w.-]+\+)?(x-ndjson|jsonl|json-seq)\b/i.test(type)) return readJson(lineRoots);
  if (/^application\/([\w.-]+\+)?json\b/i.test(type)) return readJson(jsonRoots);
  return undefined;
}

/** `rootsOf` gives the objects that can hold counts. Of several that have them, the last one decides. */
function readJson(rootsOf: (kept: JsonEnd, isComplete: boolean) => readonly unknown[]): Reader {
  const kept = new JsonEnd();
  return {
    readAhead: MAX_READ_AHEAD_CHUNKS,
    feed: (bytes) => kept.append(bytes),
    end(isComplete) {
      let tokens: TokenFigures | undefined;
      let model: string | undefined;
      for (const root of rootsOf(kept, isComplete)) {
        const found = readFigures(root);
        tokens = found.tokens ?? tokens;
        model = found.model ?? model;
      }
      return { tokens, model };
    },
  };
}

/** One JSON text: an object, or the array in which Gemini sends a stream. */
function jsonRoots(kept: JsonEnd, isComplete: boolean): readonly unknown[] {
  const text = kept.text();
  if (!mayHoldFigures(text)) return [];
  let parsed: unknown;
  if (isComplete) parsed = kept.isWhole ? parseJson(text) : parseEnd(text);
  // With a bracket added, an array that was cut off between two elements is JSON.
  else if (kept.isWhole) parsed = parseJson(text) ?? parseJson(`${text}]`);
  return Array.isArray(parsed) ? parsed : [parsed];
}

/** One JSON text a line (NDJSON), or after a record separator (RFC 7464). */
function lineRoots(kept: JsonEnd): readonly unknown[] {
  const lines = kept.text().replaceAll('\u001e', '\n').split('\n');
  return lines.filter(mayHoldFigures).map(parseJson);
}

function mayHoldFigures(text: string): boolean {
  return mayHoldTokens(text) || mayHoldModel(text);
}

/** The end of an event, to go on behind one that was too long. */
const BLANK_LINE = /\n\r?\n|\r\r/;

function readEvents(): Reader {
  let tokens: TokenFigures | undefined;
  let model: string | undefined;
  const decoder = new TextDecoder();
  /** How many characters the parser may be holding. */
  let heldCharacters = 0;
  let isSkipping = false;
  const parser = createParser({
    onEvent({ data }) {
      heldCharacters = 0;
      if (!mayHoldTokens(data) && (model !== undefined || !mayHoldModel(data))) return;
      const found = readFigures(parseJson(data));
      // Anthropic reports input at the beginning and output at the end. Others report everything each time.
      if (found.tokens !== undefined) tokens = found.isGemini ? found.tokens : { ...tokens, ...found.tokens };
      model = found.model ?? model;
    },
  });

  function feed(bytes: Uint8Array): void {
    let text = decoder.decode(bytes, { stream: true });
    if (isSkipping) {
      const blankLine = BLANK_LINE.exec(text);
      if (blankLine === null) return;
      isSkipping = false;
      text = text.slice(blankLine.index + blankLine[0].length);
    }
    heldCharacters += text.length;
    parser.feed(text);
    // Comments that keep a connection open end in a blank line too, but are not events.
    if (text.endsWith('\n\n')) heldCharacters = 0;
    if (heldCharacters <= MAX_METERED_EVENT_CHARACTERS) return;
    parser.reset();
    heldCharacters = 0;
    isSkipping = true;
  }

  return {
    readAhead: 0,
    feed,
    end() {
      // An event without its blank line counts too.
      if (!isSkipping) parser.feed('\n\n');
      return { tokens, model };
    },
  };
}

/** The same chunks, one at a time and as they come. */
function watch(
  body: ReadableStream<Uint8Array>,
  see: (chunk: Uint8Array) => void,
  finish: (isComplete: boolean) => void,
  highWaterMark: number,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) {
            finish(true);
            return controller.close();
          }
          see(value);
          controller.enqueue(value);
        } catch (error) {
          finish(false);
          controller.error(error);
        }
      },
      async cancel(reason) {
        finish(false);
        await reader.cancel(reason);
      },
    },
    { highWaterMark },
  );
}
