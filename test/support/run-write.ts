import { type Query, type ScriptedWrite, scriptQuery } from '../../lib/kv/query.ts';

/** A write without the rate limit, which a handler judges first. */
export function runWrite<T>({ script, answer }: ScriptedWrite<T>): Query<T> {
  return scriptQuery(script, answer);
}
