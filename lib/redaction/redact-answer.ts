/**
 * Takes the exact key out of a provider's success answer while it streams. Bytes are compared, so it does not matter how
 * the answer is cut into chunks. Only an end that may be the beginning of the key waits for the next chunk.
 */
import { concatenate, findBytes } from '../bytes.ts';
import { type BodyChange, bodyOf, mapBody, toStream } from '../outgoing/body.ts';
import { type Answer, SendError } from '../outgoing/send.ts';
import type { Secret } from '../secret.ts';

/** Content that is no text. A key in it would not be readable as such, and it is often large. */
const BINARY =
  /^\s*(?:(?:image\/(?!svg)|audio\/|video\/|font\/|model\/)|application\/(?:octet-stream|pdf|zip|gzip|x-tar|wasm|x-protobuf|grpc)\b)/i;
/** What every runtime can decompress. */
const DECOMPRESSED = new Set(['gzip', 'x-gzip', 'deflate']);
const REPLACEMENT = '[key]';
const FILLER = '*';

/**
 * The answer without the key, unless its content type is binary. The key is replaced by a text of the same length, so
 * that `Content-Length` stays true. A compressed text, which was not requested, is decompressed.
 *
 * @throws SendError `unusable` for a compression that this runtime cannot undo.
 */
export async function redactAnswer(answer: Answer, key: Secret): Promise<Answer> {
  if (BINARY.test(answer.headers.get('content-type') ?? '')) return answer;
  const plain = await decompress(answer);
  return { ...plain, body: mapBody(plain.body, createByteRedactor(key)) };
}

async function decompress(answer: Answer): Promise<Answer> {
  const { body } = answer;
  const encoding = (answer.headers.get('content-encoding') ?? 'identity').toLowerCase();
  if (encoding === 'identity' || encoding === '') return answer;
  if (!DECOMPRESSED.has(encoding)) {
    await body.cancel();
    throw new SendError('unusable');
  }
  const headers = new Headers(answer.headers);
  headers.delete('content-encoding');
  headers.delete('content-length');
  const plain = new DecompressionStream(encoding === 'deflate' ? 'deflate' : 'gzip');
  return { ...answer, headers, body: bodyOf(toStream(body).pipeThrough(copyChunks()).pipeThrough(plain)) };
}

/** The decompressor does not accept a view of shared memory. */
function copyChunks(): TransformStream<Uint8Array, BufferSource> {
  return new TransformStream({
    transform: (chunk, controller) => controller.enqueue(new Uint8Array(chunk)),
  });
}

const NOTHING = new Uint8Array(0);

/**
 * Removes the key, also as it is written in a JSON string or in a URL, from bytes that arrive in pieces. A chunk without
 * any part of the key is passed on as it is.
 */
export function createByteRedactor(key: Secret): BodyChange {
  const needles = formsOf(key.reveal());
  let held: Uint8Array = NOTHING;
  return {
    push(chunk) {
      const bytes = replace(held.length === 0 ? chunk : concatenate([held, chunk]), needles);
      const start = Math.min(...needles.map((needle) => startOfPart(bytes, needle)));
      held = bytes.subarray(start);
      return bytes.subarray(0, start);
    },
    end: () => held,
  };
}

function formsOf(key: string): readonly Uint8Array[] {
  const json = JSON.stringify(key).slice(1, -1);
  const forms = new Set([key, json, json.replaceAll('/', '\\/'), encodeURIComponent(key)]);
  return [...forms].map((form) => new TextEncoder().encode(form));
}

/** The same bytes if the needles are not in them, otherwise a copy without them. */
function replace(bytes: Uint8Array, needles: readonly Uint8Array[]): Uint8Array {
  let result = bytes;
  for (const needle of needles) {
    for (let at = findBytes(result, needle); at !== -1; at = findBytes(result, needle, at + needle.length)) {
      if (result === bytes) result = bytes.slice();
      result.set(replacementFor(needle), at);
    }
  }
  return result;
}

function replacementFor({ length }: Uint8Array): Uint8Array {
  return new TextEncoder().encode(REPLACEMENT.padEnd(length, FILLER).slice(0, length));
}

/** Where a beginning of the needle begins that reaches to the end of the bytes, or the length of the bytes. */
function startOfPart(bytes: Uint8Array, needle: Uint8Array): number {
  const [first = 0] = needle;
  let start = bytes.indexOf(first, Math.max(0, bytes.length - needle.length + 1));
  while (start !== -1 && !beginsWith(bytes, start, needle)) start = bytes.indexOf(first, start + 1);
  return start === -1 ? bytes.length : start;
}

/** Whether the bytes from `start` to the end, or to the end of the needle, are the needle's. */
function beginsWith(bytes: Uint8Array, start: number, needle: Uint8Array): boolean {
  const length = Math.min(needle.length, bytes.length - start);
  for (let index = 0; index < length; index += 1) {
    if (bytes[start + index] !== needle[index]) return false;
  }
  return true;
}
