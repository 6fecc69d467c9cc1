/** From the old PostgreSQL schema, in a real PostgreSQL, into a real KV. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { type RunningKv, startKv } from '../../../dev/kv/start-kv.ts';
import { query } from '../../../lib/kv/query.ts';
import { newMasterKey, newProviderKey, TEST_TENANT } from '../../support/start-world.ts';
import { kvKey } from '../../support/user-ids.ts';
import { runMigrate, startMigrate } from './run-migrate.ts';
import type { RunningPostgres } from './start-postgres.ts';
import { findPostgres, startPostgres } from './start-postgres.ts';
import { openStored, type Stored } from './stored-users.ts';

/** CI migrates more. */
const MIGRATED_USERS = Number(process.env.MIGRATED_USERS ?? 2_000);

const bin = findPostgres();
if (bin === undefined)
  process.stderr.write('Left out: the migration from PostgreSQL, which is not installed.\n');

const SCHEMA = `
  DROP TABLE IF EXISTS api_keys, onboarding_sessions;
  CREATE TABLE onboarding_sessions (id serial PRIMARY KEY, user_id text, current_step text, progress integer,
    started_at timestamptz, completed_at timestamptz);
  CREATE TABLE api_keys (session_id integer, provider text, key text, created_at timestamptz,
    updated_at timestamptz);`;

const WRITES = new Set(['eval', 'evalsha', 'hset', 'hsetnx', 'hdel', 'del', 'set']);

describe.skipIf(bin === undefined)('from PostgreSQL', () => {
  let postgres: RunningPostgres;
  let kv: RunningKv;
  let env: Readonly<Record<string, string>>;
  let stored: Stored;
  let requests: (readonly (readonly string[])[])[] = [];

  beforeAll(async () => {
    postgres = await startPostgres(bin ?? '');
  });
  afterAll(() => postgres?.close());

  beforeEach(async () => {
    await postgres.client.query(SCHEMA);
    requests = [];
    kv = await startKv({ onRequest: (commands) => void requests.push(commands) });
    env = {
      DATABASE_URL: postgres.url,
      DEPLOY_ENV: 'production',
      KV_REST_API_URL: kv.url,
      KV_REST_API_TOKEN: kv.token,
      AUTH_ISSUER: 'https://issuer.example',
      AUTH_AUDIENCE: 'userkeys',
      AUTH_TENANT: TEST_TENANT,
      VAULT_KEYS: newMasterKey(),
    };
    stored = await openStored(env);
  });
  afterEach(() => kv.close());

  const writes = () => requests.flat().filter(([name]) => WRITES.has(String(name).toLowerCase()));

  async function addSession(
    user: string | null,
    session: { step?: string; progress?: number; started?: string | null; completed?: string } = {},
  ): Promise<number> {
    const { step = null, progress = null, started = '2025-01-02T03:04:05Z', completed = null } = session;
    const { rows } = await postgres.client.query(
      `INSERT INTO onboarding_sessions (user_id, current_step, progress, started_at, completed_at)
       VALUES ($1, $2, $3, $4, $5) RETURNING id`,
      [user, step, progress, started, completed],
    );
    return rows[0].id;
  }

  async function addKey(
    session: number,
    provider: string,
    key: string,
    updated = '2025-02-03T04:05:06.789Z',
  ) {
    await postgres.client.query(
      'INSERT INTO api_keys (session_id, provider, key, created_at, updated_at) VALUES ($1, $2, $3, $4, $5)',
      [session, provider, key, '2025-01-02T03:04:05Z', updated],
    );
  }

  it('without --apply says what it would move and writes nothing', async () => {
    const key = newProviderKey();
    await addKey(await addSession('anna'), 'openai', key);
    const { code, output } = await runMigrate(['postgres'], env);
    expect(output).toContain('dry run');
    expect(output).toMatch(/keys +1 +0 +0 +0/);
    expect(output).not.toContain(key);
    expect(writes()).toEqual([]);
    expect(code).toBe(0);
  });

  it('moves keys with their times, and sessions with their steps', async () => {
    const [openai, gemini] = [newProviderKey(), newProviderKey('AIza')];
    const anna = await addSession('anna', { completed: '2025-03-04T05:06:07.890Z' });
    await addKey(anna, 'openai', ` ${openai}\n`);
    await addKey(anna, 'GEMINI_API_KEY', gemini);
    await addSession('ben', { step: 'try-it', started: '2025-01-02T03:04:05Z' });
    await addSession('cleo', { progress: 70 });
    await addSession('dora', {});

    const { code, output } = await runMigrate(['postgres', '--apply'], env);
    expect(code).toBe(0);
    expect(output).toMatch(/keys +2 +0 +0 +0/);
    expect(output).toMatch(/sessions +4 +0 +0 +0/);
    expect(output).not.toContain(openai);
    expect(output).not.toContain(gemini);

    expect(await stored.keysOf('anna')).toEqual({ gemini, openai });
    expect(await stored.recordOf('anna', 'openai')).toMatchObject({
      createdAt: '2025-01-02T03:04:05.000Z',
      updatedAt: '2025-02-03T04:05:06.789Z',
      hint: openai.slice(-4),
      status: 'unverified',
      version: 1,
    });
    const startedAt = '2025-01-02T03:04:05.000Z';
    expect(await stored.sessionOf('anna')).toMatchObject({
      startedAt,
      completedAt: '2025-03-04T05:06:07.890Z',
      progress: 1,
    });
    expect(await stored.sessionOf('ben')).toMatchObject({
      startedAt,
      currentStep: 'try-it',
      completedAt: null,
    });
    expect(await stored.sessionOf('cleo')).toMatchObject({ startedAt, currentStep: 'finish' });
    expect(await stored.sessionOf('dora')).toMatchObject({ startedAt, currentStep: 'api-keys', progress: 0 });
  });

  it('run again writes nothing, and takes along what the old system has changed since', async () => {
    const [first, second, third] = [newProviderKey(), newProviderKey(), newProviderKey()];
    const anna = await addSession('anna');
    await addKey(anna, 'openai', first);
    await addKey(anna, 'exa', first);
    await runMigrate(['postgres', '--apply'], env);
    const before = writes().length;

    const again = await runMigrate(['postgres', '--apply'], env);
    expect(again.output).toMatch(/keys +0 +2 +0 +0/);
    expect(again.output).toMatch(/sessions +0 +1 +0 +0/);
    expect(writes()).toHaveLength(before);

    await addKey(anna, 'openai', second, '2025-06-01T00:00:00Z');
    await stored.save('anna', 'exa', third, new Date('2025-07-01T00:00:00Z'));
    const later = await runMigrate(['postgres', '--apply'], env);
    expect(later.code).toBe(0);
    expect(later.output).toContain('the user has stored a newer key');
    expect(await stored.keysOf('anna')).toEqual({ openai: second, exa: third });
    expect(await stored.recordOf('anna', 'openai')).toMatchObject({ version: 2 });
  });

  it('leaves a session alone that was begun in the new system', async () => {
    await addSession('anna', { completed: '2025-03-04T05:06:07Z' });
    const begun = await stored.sessionOf('anna');
    const { output } = await runMigrate(['postgres', '--apply'], env);
    expect(output).toContain('the user has begun a newer one');
    expect(await stored.sessionOf('anna')).toEqual(begun);
  });

  it('says what it could not move and why, moves the rest, and fails', async () => {
    const key = newProviderKey();
    const anna = await addSession('anna');
    await addKey(anna, 'openai', key, '2025-05-01T00:00:00Z');
    await addKey(anna, 'OpenAI', newProviderKey('old-'), '2025-04-01T00:00:00Z');
    await addKey(anna, 'acme', key);
    await addKey(anna, 'exa', '  ');
    await addKey(anna, 'groq', `${key}\nsecond line`);
    await addKey(await addSession(null), 'openai', key);
    await addKey(await addSession('ünsafe'), 'openai', key);
    await addKey(9_999, 'openai', key);
    await addSession('ben', { started: null });
    const stuck = await addSession('cleo');
    await addKey(stuck, 'openai', key);
    await stored.kv.run(
      query((pipeline) => pipeline.hset(kvKey('keys', 'cleo'), { openai: 'damaged' }), z.unknown()),
    );

    const { code, output } = await runMigrate(['postgres', '--apply'], env);
    expect(code).toBe(1);
    for (const line of [
      /1 × key failed: its provider is not in the catalogue .*anna/,
      /1 × key skipped: it is empty/,
      /1 × key failed: it is not a key alone/,
      /1 × key skipped: the user has a newer key of this provider/,
      /2 × key failed: no owner/,
      /1 × key failed: the user’s id is not 1 to 255 printable ASCII/,
      /1 × session failed: it has no start .*ben/,
      /1 × key failed: a key is stored that does not open/,
      /✗ 9 failed/,
    ]) {
      expect(output).toMatch(line);
    }
    expect(output).not.toContain(key);
    expect(await stored.keysOf('anna')).toEqual({ openai: key });
  });

  it('fails, with nothing of a key or a password, when KV or the database is away', async () => {
    const key = newProviderKey();
    await addKey(await addSession('anna'), 'openai', key);
    const noDatabase = await runMigrate(['postgres'], {
      ...env,
      DATABASE_URL: 'postgres://old:passw0rd@127.0.0.1:1/old',
    });
    expect(noDatabase.code).toBe(1);
    expect(noDatabase.output).toContain('does not accept connections there (DATABASE_URL).');
    await postgres.client.query('ALTER TABLE api_keys DROP COLUMN updated_at');
    const otherSchema = await runMigrate(['postgres'], env);
    expect(otherSchema.code).toBe(1);
    expect(otherSchema.output).toContain('column');
    await postgres.client.query('ALTER TABLE api_keys ADD COLUMN updated_at timestamptz');
    await kv.close();
    const noStore = await runMigrate(['postgres', '--apply'], env);
    expect(noStore.code).toBe(1);
    expect(noStore.output).toContain('the key store did not answer');
    expect(noStore.output).not.toContain('"kv_failed"');
    for (const { output } of [noDatabase, otherSchema, noStore]) {
      expect(output).not.toContain(key);
      expect(output).not.toContain('passw0rd');
    }
  });

  it(`${MIGRATED_USERS} users, killed half-way and run again, are complete and equal`, {
    timeout: 180_000,
  }, async () => {
    const USERS = MIGRATED_USERS;
    const providers = ['openai', 'gemini', 'exa'] as const;
    const users = Array.from({ length: USERS }, (_, index) => ({
      id: `user_${index}`,
      keys: Object.fromEntries(
        providers.slice(0, 1 + (index % 3)).map((provider) => [provider, newProviderKey()]),
      ),
    }));
    await postgres.client.query(
      `INSERT INTO onboarding_sessions (id, user_id, current_step, started_at, completed_at)
       SELECT number, 'user_' || number, CASE number % 3 WHEN 0 THEN 'try-it' END,
              '2025-01-01'::timestamptz + number * interval '1 minute',
              CASE number % 3 WHEN 1 THEN '2025-06-01'::timestamptz END
       FROM generate_series(0, $1 - 1) AS number`,
      [USERS],
    );
    const rows = users.flatMap(({ keys }, index) =>
      Object.entries(keys).map(([provider, key]) => ({ session: index, provider, key })),
    );
    await postgres.client.query(
      `INSERT INTO api_keys SELECT *, '2025-02-01', '2025-02-01' FROM unnest($1::int[], $2::text[], $3::text[])`,
      [rows.map(({ session }) => session), rows.map(({ provider }) => provider), rows.map(({ key }) => key)],
    );

    const { child, finished } = startMigrate(['postgres', '--apply'], env);
    const enough = (rows.length + USERS) / 2;
    await vi.waitUntil(() => writes().length >= enough || child.exitCode !== null, {
      timeout: 120_000,
      interval: 20,
    });
    child.kill('SIGKILL');
    expect((await finished).code).toBeNull();
    const half = writes().length;
    expect(half).toBeLessThan(rows.length + USERS);

    const { code, output } = await runMigrate(['postgres', '--apply'], env);
    expect(code).toBe(0);
    const [, moved, there, skipped, failed] = /keys +(\d+) +(\d+) +(\d+) +(\d+)/.exec(output) ?? [];
    expect(Number(moved) + Number(there)).toBe(rows.length);
    expect(Number(there)).toBeGreaterThan(rows.length / 4);
    expect([skipped, failed]).toEqual(['0', '0']);

    for (const [index, { id, keys }] of users.entries()) {
      expect(await stored.keysOf(id)).toEqual(keys);
      const startedAt = new Date(Date.UTC(2025, 0, 1, 0, index)).toISOString();
      const { startedAt: found, currentStep, completedAt } = await stored.sessionOf(id);
      expect([found, currentStep, completedAt]).toEqual([
        startedAt,
        ['try-it', null, 'api-keys'][index % 3],
        index % 3 === 1 ? '2025-06-01T00:00:00.000Z' : null,
      ]);
    }
  });
});
