/** Reads the old PostgreSQL schema: `onboarding_sessions` and `api_keys`. Never writes to it. */
import { Client } from 'pg';
import { z } from 'zod';
import { Secret } from '../../lib/secret.ts';
import type { OldKey, OldSession, OldUser, Source } from './old-system.ts';

const BATCH_ROWS = 1_000;

/** Milliseconds since 1970; a `timestamp without time zone` is read as UTC. */
const ms = (column: string) => `(extract(epoch from ${column}) * 1000)::float8`;

const ALL_ROWS = `
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
 * Yields each user once, from one snapshot, a thousand rows at a time. Keys whose session is gone have no user.
 *
 * @param url a connection string; undefined: the `PG*` variables.
 * @throws pg's error when the database, a table or a column is not available.
 */
export async function readPostgres(url: string | undefined): Promise<Source> {
  const client = new Client(url === undefined ? {} : { connectionString: url });
  // When the connection breaks, the pending query rejects; without a listener the process would crash as well.
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
      await client.query(`DECLARE everything NO SCROLL CURSOR FOR ${ALL_ROWS}`);
      let current: Row[] = [];
      for (;;) {
        const { rows } = await client.query(`FETCH ${BATCH_ROWS} FROM everything`);
        for (const next of z.array(row).parse(rows)) {
          const [first] = current;
          if (first !== undefined && first.user !== next.user) {
            yield toUser(current);
            current = [];
          }
          current.push(next);
        }
        if (rows.length < BATCH_ROWS) break;
      }
      if (current.length > 0) yield toUser(current);
    },
    close: () => client.end(),
  };
}

/** One user from their rows. A session is repeated in each row of its keys. */
function toUser(rows: readonly Row[]): OldUser {
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
