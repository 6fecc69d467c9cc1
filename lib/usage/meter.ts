/**
 * Reads token counts from a provider's answer while it streams to the caller. It delays nothing, buffers a limited
 * amount, and never estimates: an answer without counts is recorded as a call without counts.
 */
import { MAX_METERED_LINE_COUNT, MAX_METERED_VALUES, MAX_READ_AHEAD_CHUNKS } from '../limits.ts';
import type { Answer, Body } from '../outgoing/send.ts';
import { readEvents } from './event-figures.ts';
import { countValues, JsonEnd, parseEnd, parseJson } from './json-end.ts';
import {
  type Metered,
  mayHoldModel,
  mayHoldTokens,
  readFigures,
  type TokenFigures,
} from './token-figures.ts';

export type { Metered } from './token-figures.ts';

/**
 * Returns the answer with a new body, which must be read instead of the given one, and what the answer reports.
 * `metered` resolves when the body has ended, has failed or was cancelled. An answer that is neither JSON nor server-sent
 * events reports nothing. Returns undefined if the answer is a failure: those are read before they are passed on.
 */
export function meterAnswer(
  answer: Answer,
  signal?: AbortSignal,
): { readonly answer: Answer; readonly metered: Promise<Metered> } | undefined {
  if (answer.status < 200 || answer.status >= 300) return undefined;
  const reader = createReader(answer.headers) ?? UNREAD;
  let finish = (_isComplete: boolean) => {};
  const metered = new Promise<Metered>((resolve) => {
    const onAbort = () => finish(false);
    finish = (isComplete) => {
      signal?.removeEventListener('abort', onAbort);
      resolve(reader.end(isComplete));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
  });
  const body = observeBody(answer.body, reader.feed, finish);
  return { answer: { ...answer, body, readAhead: reader.readAhead }, metered };
}

type Reader = {
  feed(bytes: Uint8Array): void;
  /** `isComplete`: the whole answer arrived. Otherwise the caller disconnected or the connection failed. */
  end(isComplete: boolean): Metered;
  /** How many chunks may be read before the caller reads them. */
  readonly readAhead: number;
};

const UNREAD: Reader = { readAhead: 0, feed() {}, end: () => ({ tokens: undefined, model: undefined }) };

function createReader(headers: Headers): Reader | undefined {
  if ((headers.get('content-encoding') ?? 'identity') !== 'identity') return undefined;
  const type = headers.get('content-type') ?? '';
  if (/^text\/event-stream\b/i.test(type)) return { readAhead: 0, ...readEvents() };
  if (/^application\/([\w.-]+\+)?(x-ndjson|jsonl|json-seq)\b/i.test(type)) return readJson(lineRoots);
  if (/^application\/([\w.-]+\+)?json\b/i.test(type)) return readJson(jsonRoots);
  return undefined;
}

/** `rootsOf` returns the objects that can hold counts. If several have counts, the last one is used. */
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

/** One JSON text: an object, or the array in which Gemini streams. */
function jsonRoots(kept: JsonEnd, isComplete: boolean): readonly unknown[] {
  const text = kept.text();
  if (!mayHoldFigures(text)) return [];
  if (!kept.isWhole) return isComplete ? toRoots(parseEnd(text)) : [];
  const size = kept.size();
  const parsed = size.values > MAX_METERED_VALUES ? undefined : parseJson(text);
  if (parsed !== undefined) return toRoots(parsed);
  if (!isComplete) return toRoots(kept.cutArray(size));
  const end = size.values > MAX_METERED_VALUES ? parseEnd(text) : undefined;
  return end === undefined ? lineRoots(kept) : toRoots(end);
}

function toRoots(parsed: unknown): readonly unknown[] {
  return Array.isArray(parsed) ? parsed : [parsed];
}

/** One JSON text per line (NDJSON), or after each record separator (RFC 7464). The last lines, if there are very many. */
function lineRoots(kept: JsonEnd): readonly unknown[] {
  const text = kept.text().replaceAll('\u001e', '\n');
  const roots: unknown[] = [];
  let values = 0;
  let end = text.length;
  for (let lines = 0; end > 0 && lines < MAX_METERED_LINE_COUNT; lines += 1) {
    const start = text.lastIndexOf('\n', end - 1) + 1;
    const line = text.slice(start, end);
    end = start - 1;
    if (!mayHoldFigures(line)) continue;
    values += countValues(line);
    if (values > MAX_METERED_VALUES) break;
    roots.unshift(parseJson(line));
  }
  return roots;
}

function mayHoldFigures(text: string): boolean {
  return mayHoldTokens(text) || mayHoldModel(text);
}

/** The same chunks. Calls `onChunk` for each and `finish` at the end. */
function observeBody(
  body: Body,
  onChunk: (chunk: Uint8Array) => void,
  finish: (isComplete: boolean) => void,
): Body {
  return {
    async read() {
      try {
        const chunk = await body.read();
        if (chunk === undefined) finish(true);
        else onChunk(chunk);
        return chunk;
      } catch (error) {
        finish(false);
        throw error;
      }
    },
    async cancel() {
      finish(false);
      await body.cancel();
    },
  };
}
