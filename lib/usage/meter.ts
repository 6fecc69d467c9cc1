/**
 * Reads a provider's own token figures out of its answer while the answer passes by. Nothing is held back, and no
 * more is kept than the figures; an answer that has none is not guessed at.
 */
import type { Answer } from '../outgoing/send.ts';
import { readEventData } from './event-data.ts';
import { findJsonMembers } from './json-members.ts';
import { toModelName } from './model-name.ts';
import { FIGURE_PATHS, readFigures, readModel, type TokenFigures } from './token-figures.ts';

export type Metered = {
  /** Undefined: the provider has not said. */
  readonly tokens: TokenFigures | undefined;
  /** The model that answered. */
  readonly model: string | undefined;
};

/**
 * The answer with its body to be read in place of the given one, and what it said, once the body is at its end, has
 * failed or was given up. Undefined where there is nothing to read: a failure, or neither JSON nor events.
 */
export function meterAnswer(
  answer: Answer,
  signal?: AbortSignal,
): { readonly answer: Answer; readonly metered: Promise<Metered> } | undefined {
  const reader = answer.status >= 200 && answer.status < 300 ? createReader(answer.headers) : undefined;
  if (reader === undefined) return undefined;
  let finish = () => {};
  const metered = new Promise<Metered>((resolve) => {
    finish = () => {
      signal?.removeEventListener('abort', finish);
      resolve(reader.end());
    };
  });
  signal?.addEventListener('abort', finish, { once: true });
  const body = watch(answer.body, reader.feed, finish, reader.readAhead);
  return { answer: { ...answer, body }, metered };
}

type Reader = {
  feed(bytes: Uint8Array): void;
  end(): Metered;
  /** How many chunks may wait for the caller. */
  readonly readAhead: number;
};

/** A short answer is at its end as soon as it is here, whenever the caller takes it; a longer one waits for them. */
const WHOLE_ANSWER_CHUNKS = 2;

function createReader(headers: Headers): Reader | undefined {
  if ((headers.get('content-encoding') ?? 'identity') !== 'identity') return undefined;
  const type = headers.get('content-type') ?? '';
  if (/^text\/event-stream\b/i.test(type)) return readEvents();
  if (/^application\/([\w.-]+\+)?(json|x-ndjson|jsonl|json-seq)\b/i.test(type)) return readJson();
  return undefined;
}

function readJson(): Reader {
  const members = findJsonMembers(FIGURE_PATHS);
  return {
    readAhead: WHOLE_ANSWER_CHUNKS,
    feed: members.feed,
    end() {
      const found = members.take();
      return { tokens: readFigures(found), model: toModelName(readModel(found)) };
    },
  };
}

function readEvents(): Reader {
  const members = findJsonMembers(FIGURE_PATHS);
  let tokens: TokenFigures | undefined;
  let model: string | undefined;
  const events = readEventData(members.feed, () => {
    const found = members.take();
    if (found.size === 0) return;
    const figures = readFigures(found);
    // Anthropic tells input at the beginning and output at the end, the others everything at the end or each time.
    if (figures !== undefined) tokens = found.has('usageMetadata') ? figures : { ...tokens, ...figures };
    model = toModelName(readModel(found)) ?? model;
  });
  return {
    readAhead: 0,
    feed: events.feed,
    end() {
      events.end();
      return { tokens, model };
    },
  };
}

/** The same chunks, one at a time and as they come. */
function watch(
  body: ReadableStream<Uint8Array>,
  see: (chunk: Uint8Array) => void,
  finish: () => void,
  highWaterMark: number,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) {
            finish();
            return controller.close();
          }
          see(value);
          controller.enqueue(value);
        } catch (error) {
          finish();
          controller.error(error);
        }
      },
      async cancel(reason) {
        finish();
        await reader.cancel(reason);
      },
    },
    { highWaterMark },
  );
}
