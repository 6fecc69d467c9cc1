// Parses an Upstash REST request: one command as a JSON array or as a path, a pipeline, or a transaction.

import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { Command } from './engine.ts';

/** Upstash's own cap. */
export const MAX_BODY_BYTES = 10 * 1024 * 1024;

const ArgumentSchema = z.union([z.string(), z.number().transform(String), z.boolean().transform(String)]);
const CommandSchema = z.array(ArgumentSchema).min(1);
const CommandsSchema = z.array(CommandSchema).min(1);

export type RestRequest = { shape: 'single' | 'pipeline' | 'multi-exec'; commands: Command[] };

/** A request that is refused before any command runs. */
export class RestRequestError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Throws `RestRequestError`: 400 when the request contains no valid commands, 405 for other methods. */
export function parseRestRequest(method: string, url: URL, body: Buffer): RestRequest {
  if (!['GET', 'POST', 'PUT'].includes(method))
    throw new RestRequestError(405, `ERR ${method} is not a method of this API`);
  if (method === 'GET' || !['/', '/pipeline', '/multi-exec'].includes(url.pathname)) {
    return { shape: 'single', commands: [commandOfPath(url, method === 'GET' ? undefined : body)] };
  }
  const json = parseJson(body);
  if (url.pathname === '/') {
    return {
      shape: 'single',
      commands: [parsed(CommandSchema, json, 'a JSON array of the command and its arguments')],
    };
  }
  const shape = url.pathname === '/pipeline' ? 'pipeline' : 'multi-exec';
  return { shape, commands: parsed(CommandsSchema, json, 'a JSON array of commands, each a JSON array') };
}

/** Reads the body. Throws `RestRequestError` 413 as soon as it exceeds the cap. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = new RestRequestError(413, `ERR max request size exceeded. Limit: ${MAX_BODY_BYTES} bytes`);
  if (Number(request.headers['content-length']) > MAX_BODY_BYTES) throw tooLarge;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const part = Buffer.from(chunk);
    bytes += part.length;
    if (bytes > MAX_BODY_BYTES) throw tooLarge;
    chunks.push(part);
  }
  return Buffer.concat(chunks);
}

/** `/set/key/value?EX=10` is `SET key value EX 10`; the body of a POST is one more argument after the path's. */
function commandOfPath(url: URL, body: Buffer | undefined): Command {
  const words = url.pathname.slice(1).replace(/\/$/, '').split('/').map(decodeWord);
  if (words[0] === '') throw new RestRequestError(400, 'ERR empty command');
  const options = [...url.searchParams]
    .filter(([name]) => name !== '_token')
    .flatMap(([name, value]) => (value === '' ? [name] : [name, value]));
  return [...words, ...(body?.length ? [body] : []), ...options];
}

function decodeWord(word: string): string {
  try {
    return decodeURIComponent(word);
  } catch {
    throw new RestRequestError(400, 'ERR malformed path');
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    throw new RestRequestError(400, 'ERR failed to parse the request body as JSON');
  }
}

function parsed<Output>(schema: z.ZodType<Output>, json: unknown, expected: string): Output {
  const result = schema.safeParse(json);
  if (!result.success) throw new RestRequestError(400, `ERR the request body must be ${expected}`);
  return result.data;
}
