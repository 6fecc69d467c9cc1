// Replies as Upstash writes them: `{result}` or `{error}`, with the strings in base64 when the client asks.

import { CommandError, type Reply } from './engine.ts';

export type RestReply = { result: Json } | { error: string };
type Json = string | number | null | Json[];

/**
 * In base64, every string is encoded but for a status `OK` that is the whole reply: the client decodes all
 * others, nested ones too (`decode` in @upstash/redis).
 */
export function restReply(reply: Reply, base64: boolean): RestReply {
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
