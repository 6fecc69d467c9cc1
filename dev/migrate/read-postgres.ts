/** The old PostgreSQL schema: `onboarding_sessions` and `api_keys`. It is read and never written. */
import { Client } from 'pg';
import { z } from 'zod';
import { Secret } from '../../lib/secret.ts';
import type { OldKey, OldSession, OldUser, Source } from './old-user.ts';

const ROWS_AT_A_TIME = 1_000;

/** Milliseconds; `timestamp without time zone` is taken as UTC. */
const ms = (column: string) => `(extract(epoch from ${column}) * 1000)::float8`;

const EVERYTHING = `
  SELECT s.user_id::text AS user, s.id::text AS session, s.current_step::text, s.progress::text,
         ${ms('s.started_at')} AS started_ms, ${ms('s.completed_at')} AS completed_ms,
         k.provider::text, k.key::text, ${ms('k.created_at')} AS created_ms, ${ms('k.updated_at')} AS updated_ms
  FROM onboarding_sessions s FULL JOIN api_keys k ON k.session_id = s.id
  ORDER BY s.user_id::text COLLATE "C", s.id`;

const time = z
  .number()
  .nullable()
  .transform((value) =>
    value === null || Number.isNaN(new Date(value).getTime()) ? undefined : new Date(value),
  );
const text = z
  .string()
  .nullable()
  .transform((value) => value ?? undefined);

const row = z.object({
  user: text,
  session: text,
  current_step: text,
  progress: text,
  started_ms: time,
  completed_ms: time,
  provider: text,
  key: text,
  created_ms: time,
  updated_ms: time,
});
type Row = z.infer<typeof row>;

/**
 * Everything in one snapshot, a thousand rows at a time, each user once. Keys whose session is gone come with
 * no user.
 *
 * @param url a connection string; undefined: the `PG*` variables.
 * @throws pg's error when the database or a table or column cannot be had.
 */
export async function readPostgres(url: string | undefined): Promise<Source> {
  const client = new Client(url === undefined ? {} : { connectionString: url });
  // A connection that breaks is an error of the query that waits on it.
  client.on('error', () => {});
  await client.connect();
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  return {
    async countUsers() {
      const { rows } = await client.query(
        'SELECT count(DISTINCT user_id::text)::float8 AS users FROM onboarding_sessions',
      );
      return z.object({ users: z.number() }).parse(rows[0]).users;
    },
    async *users() {
      await client.query(`DECLARE everything NO SCROLL CURSOR FOR ${EVERYTHING}`);
      let current: Row[] = [];
      for (;;) {
        const { rows } = await client.query(`FETCH ${ROWS_AT_A_TIME} FROM everything`);
        for (const next of z.array(row).parse(rows)) {
          const [first] = current;
          if (first !== undefined && first.user !== next.user) {
            yield gather(current);
            current = [];
          }
          current.push(next);
        }
        if (rows.length < ROWS_AT_A_TIME) break;
      }
      if (current.length > 0) yield gather(current);
    },
    close: () => client.end(),
  };
}

/** The rows of one user: a session is repeated in each row of its keys. */
function gather(rows: readonly Row[]): OldUser {
  const sessions = new Map<string, OldSession>();
  const keys: OldKey[] = [];
  for (const { session, current_step, progress, started_ms, completed_ms, ...rest } of rows) {
    if (session !== undefined) {
      sessions.set(session, {
        currentStep: current_step,
        progress: z.coerce.number().safeParse(progress).data,
        startedAt: started_ms,
        completedAt: completed_ms,
      });
    }
    if (rest.provider === undefined && rest.key === undefined) continue;
    keys.push({
      provider: rest.provider ?? '',
      key: new Secret(rest.key ?? ''),
      createdAt: rest.created_ms,
      updatedAt: rest.updated_ms,
    });
  }
  return { user: rows[0]?.user, keys, sessions: [...sessions.values()] };
}
