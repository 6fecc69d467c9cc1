// The Upstash Redis REST protocol in front of an engine.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { type Command, CommandError, discarded, type Engine, type Reply } from './engine.ts';
import { refusal } from './refused-commands.ts';
import { parseRestRequest, type RestRequest, RestRequestError, readBody } from './rest-request.ts';

export type RestOptions = {
  engine: Engine;
  token: string;
  /** Called with the commands of every request that could be read, before they run. */
  onRequest?: ((commands: readonly (readonly string[])[]) => void) | undefined;
};

/**
 * Answers every request, always with JSON: 200 with the result or results, 400 for a failed single command, a
 * discarded transaction or an unreadable request, 401 without the token, 405, 413 over 10 MB, 503 when the
 * engine does not answer.
 */
export function restListener(options: RestOptions): RequestListener {
  return (request, response) => {
    answer(request, options).then(
      (reply) => respond(response, reply),
      (error) => respond(response, failure(error)),
    );
  };
}

type Answer = { status: number; body: unknown };

async function answer(request: IncomingMessage, { engine, token, onRequest }: RestOptions): Promise<Answer> {
  const url = new URL(request.url ?? '/', 'http://kv.invalid');
  if (!sameSecret(presentedToken(request, url), token))
    return { status: 401, body: { error: 'Unauthorized' } };
  const asked = parseRestRequest(request.method ?? '', url, await readBody(request));
  onRequest?.(asked.commands.map((command) => command.map(String)));
  const replies = await execute(engine, asked);
  if (replies instanceof CommandError) return { status: 400, body: { error: replies.message } };
  const base64 = request.headers['upstash-encoding'] === 'base64';
  const items = replies.map((reply) => restReply(reply, base64));
  if (asked.shape !== 'single') return { status: 200, body: items };
  return { status: replies[0] instanceof CommandError ? 400 : 200, body: items[0] };
}

async function execute(engine: Engine, { shape, commands }: RestRequest): Promise<Reply[] | CommandError> {
  const refusals = commands.map(refusal);
  const atomic = shape === 'multi-exec';
  const firstRefusal = refusals.find((refused) => refused !== undefined);
  if (firstRefusal === undefined) return engine.execute(commands, { atomic });
  if (atomic) return discarded(firstRefusal.message);
  const allowed = commands.filter((_: Command, i) => refusals[i] === undefined);
  const replies = allowed.length === 0 ? [] : await engine.execute(allowed, { atomic });
  if (replies instanceof CommandError) return replies;
  const answers = replies.values();
  return refusals.map((refused) => refused ?? answers.next().value ?? null);
}

type RestReply = { result: Json } | { error: string };
type Json = string | number | null | Json[];

/**
 * A reply as Upstash writes it. In base64, every string is encoded but for a status `OK` that is the whole reply:
 * the client decodes all others, nested ones too (`decode` in @upstash/redis).
 */
function restReply(reply: Reply, base64: boolean): RestReply {
  if (reply instanceof CommandError) return { error: reply.message };
  return { result: reply === 'OK' ? reply : toJson(reply, base64) };
}

function toJson(reply: Reply, base64: boolean): Json {
  if (reply === null || typeof reply === 'number') return reply;
  if (Array.isArray(reply)) return reply.map((item) => toJson(item, base64));
  const bytes = Buffer.isBuffer(reply)
    ? reply
    : Buffer.from(reply instanceof CommandError ? reply.message : reply);
  return bytes.toString(base64 ? 'base64' : 'utf8');
}

function presentedToken(request: IncomingMessage, url: URL): string {
  const [, bearer] = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '') ?? [];
  return bearer ?? url.searchParams.get('_token') ?? '';
}

function sameSecret(a: string, b: string): boolean {
  const digest = (value: string) => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function failure(error: unknown): Answer {
  if (error instanceof RestRequestError) return { status: error.status, body: { error: error.message } };
  const reason = error instanceof Error ? error.message : String(error);
  return { status: 503, body: { error: `ERR the KV's engine does not answer: ${reason}` } };
}

function respond(response: ServerResponse, { status, body }: Answer): void {
  // The unread rest of a body must not be parsed as the next request.
  const unread = response.req.complete ? {} : { connection: 'close' };
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...unread });
  response.end(JSON.stringify(body));
}
