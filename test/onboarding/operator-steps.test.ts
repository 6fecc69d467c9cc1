import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { composeApp } from '../../lib/compose.ts';
import { loadConfig } from '../../lib/config.ts';
import { ConfigError } from '../../lib/errors.ts';
import type { UserId } from '../../lib/identity/user-id.ts';
import { callStart, markErased } from '../../lib/kv/erasure.ts';
import { ownerKey } from '../../lib/kv/key-names.ts';
import { combineQueries, query } from '../../lib/kv/query.ts';
import { deleteSession, type Session, startSession, writeStep } from '../../lib/onboarding/session.ts';
import { createUndiciSend } from '../../lib/outgoing/undici-send.ts';
import type { ProviderId } from '../../lib/providers/catalogue.ts';
import { call } from '../support/call.ts';
import { runWrite } from '../support/run-write.ts';
import { serveApp } from '../support/serve-app.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { userId } from '../support/user-ids.ts';

/** The example of docs/onboarding.md. */
const CONTENT_MARKETING = JSON.stringify([
  { id: 'api-keys', title: 'API keys', required: true },
  { id: 'website', title: 'Your website', required: true },
  { id: 'research', title: 'Research' },
  { id: 'personalization', title: 'Personalization' },
  { id: 'integrations', title: 'Integrations' },
  { id: 'finish', title: 'Finish', required: true },
]);

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

/** An app with these variables and a clock that the test controls. */
async function openApp(
  env: Readonly<Record<string, string>>,
  clock: { now: number } = { now: Date.now() },
  user: UserId = newUser(),
) {
  const config = loadConfig({ ...world.env, ...env });
  const composed = composeApp(config, {
    send: createUndiciSend(),
    after: () => {},
    clock: () => new Date(clock.now),
  });
  /** Skips token verification, which is not tested here: tokens are not valid at a faked time. */
  const app = { ...composed, authenticate: async () => user };
  const functions = serveApp(app);
  const onboarding = async (method: string, body?: object) => {
    const response = await call(functions, '/api/onboarding', { method, ...(body && { json: body }) });
    return response.status === 204 ? undefined : { status: response.status, ...(await response.json()) };
  };
  return {
    app,
    user,
    async save(provider: ProviderId) {
      const json = { key: newProviderKey() };
      const response = await call(functions, `/api/keys/${provider}`, { method: 'PUT', json });
      expect(response.status).toBe(201);
    },
    read: () => onboarding('GET'),
    change: (patch: object) => onboarding('PATCH', patch),
    startOver: () => onboarding('DELETE'),
  };
}

let count = 0;
function newUser() {
  count += 1;
  return userId(`operator_user_${count}`);
}

describe('an operator’s list of steps', () => {
  test('defines the steps of users, with its order and titles', async () => {
    const { save, read, change } = await openApp({ ONBOARDING_STEPS: CONTENT_MARKETING });
    await save('gemini');
    await change({ step: 'api-keys', status: 'completed' });
    expect(await change({ step: 'website', status: 'skipped' })).toMatchObject({ code: 'step_required' });
    await change({
      step: 'website',
      status: 'completed',
      data: { url: 'https://shop.example' },
    });
    for (const step of ['research', 'personalization', 'integrations']) {
      await change({ step, status: 'skipped' });
    }
    const before = await read();
    expect(before).toMatchObject({ currentStep: 'finish', progress: 5 / 6, completedAt: null });
    const end = await change({ step: 'finish', status: 'completed' });
    expect(end).toMatchObject({ currentStep: null, progress: 1 });
    expect(end.steps[1]).toMatchObject({ title: 'Your website', data: { url: 'https://shop.example' } });
  });

  test('may be extended: a user who was done has only the new step pending and keeps the rest', async () => {
    const clock = { now: Date.parse('2026-03-01T10:00:00Z') };
    const { user, save, change } = await openApp({}, clock);
    await save('exa');
    for (const step of ['api-keys', 'try-it', 'finish']) {
      await change({ step, status: 'completed', data: { step } });
    }
    const steps = JSON.stringify([
      { id: 'api-keys', title: 'API keys' },
      { id: 'terms', title: 'Terms' },
      { id: 'finish', title: 'Finish' },
    ]);
    const grown = await openApp({ ONBOARDING_STEPS: steps }, { now: Date.now() }, user);
    expect(await grown.read()).toMatchObject({
      currentStep: 'terms',
      progress: 2 / 3,
      completedAt: null,
      steps: [{ data: { step: 'api-keys' } }, { status: 'pending' }, { data: { step: 'finish' } }],
    });
  });

  test.each([
    ['text that is not JSON', 'api-keys,try-it'],
    ['an object instead of a list', '{"id":"a","title":"A"}'],
    ['an empty list', '[]'],
    ['no title', '[{"id":"sentinel"}]'],
    ['an id in upper case', '[{"id":"Sentinel","title":"A"}]'],
    ['an id called __proto__', '[{"id":"__proto__","title":"sentinel"}]'],
    ['a title of two lines', '[{"id":"a","title":"sentinel\\nB"}]'],
    ['the same id twice', '[{"id":"sentinel","title":"A"},{"id":"sentinel","title":"B"}]'],
    ['an unknown field', '[{"id":"a","title":"A","sentinel":true}]'],
    ['"required" as a string', '[{"id":"a","title":"A","required":"sentinel"}]'],
    [
      'twenty-one steps',
      JSON.stringify(Array.from({ length: 21 }, (_, n) => ({ id: `sentinel${n}`, title: 'A' }))),
    ],
  ])('with %s prevents the start, with an error that names the variable and not its text', (_what, text) => {
    const problem = configErrorOf({ ONBOARDING_STEPS: text });
    expect(problem.variables).toEqual(['ONBOARDING_STEPS']);
    expect(problem.message.toLowerCase()).not.toContain('sentinel');
  });

  test('has errors that name the wrong step', () => {
    const text = '[{"id":"a","title":"A"},{"id":"b","title":""}]';
    expect(configErrorOf({ ONBOARDING_STEPS: text }).message).toContain('step 2: "title"');
  });
});

describe('required providers', () => {
  test('must each have a usable key, and those without one are named', async () => {
    const { save, change } = await openApp({ ONBOARDING_PROVIDERS: 'gemini, exa' });
    await save('gemini');
    await save('openai');
    const complete = () => change({ step: 'api-keys', status: 'completed' });
    expect(await complete()).toMatchObject({
      code: 'step_incomplete',
      detail: 'Add a working key first for: Exa.',
      missingProviders: 'exa',
    });
    await save('exa');
    expect((await complete()).steps[0]).toMatchObject({
      status: 'completed',
      requiredProviders: ['gemini', 'exa'],
    });
  });

  test('that are unknown prevent the start', () => {
    const problem = configErrorOf({ ONBOARDING_PROVIDERS: 'gemini,sentinel' });
    expect(problem.variables).toEqual(['ONBOARDING_PROVIDERS']);
    expect(problem.message).not.toContain('sentinel');
  });
});

test('completedAt is never before startedAt, even if the clock was set back', async () => {
  const clock = { now: Date.parse('2026-03-01T10:00:00Z') };
  const { save, read, change } = await openApp({}, clock);
  await save('exa');
  const { startedAt } = await read();
  clock.now -= 24 * 60 * 60_000;
  for (const step of ['api-keys', 'try-it', 'finish']) {
    await change({ step, status: 'completed' });
  }
  expect(await read()).toMatchObject({ progress: 1, startedAt, completedAt: startedAt });
});

describe('a step based on an outdated session', () => {
  const record = { v: 1, status: 'completed', doneAt: '2026-03-01T10:00:00.000Z' } as const;

  async function openSession() {
    const { app, user, startOver } = await openApp({});
    const start = callStart(user, new Date());
    return {
      app,
      user,
      start,
      startOver,
      read: () => app.kv.run(runWrite(startSession(user, ['a', 'b'], start))),
      write: (seen: Session, step: string) => app.kv.run(writeStep(user, seen, step, record, start)),
    };
  }

  test('is not written after a write from another tab', async () => {
    const { read, write } = await openSession();
    const seen = await read();
    expect(await write(seen, 'a')).toBe('written');
    expect(await write(seen, 'b')).toBe('changed');
    expect([...(await read()).done.keys()]).toEqual(['a']);
  });

  test('is not written after the session was restarted and has reached the same step again', async () => {
    const { startOver, read, write } = await openSession();
    await write(await read(), 'a');
    const seen = await read();
    await startOver();
    expect(await write(seen, 'b')).toBe('changed');
    await write(await read(), 'a');
    expect(await write(seen, 'b')).toBe('changed');
    expect([...(await read()).done.keys()]).toEqual(['a']);
  });

  test('is not written after the user was erased, and no start time is written either', async () => {
    const { app, user, start, read, write } = await openSession();
    const seen = await read();
    await app.kv.run(combineQueries(markErased(start), runWrite(deleteSession(user))));
    expect(await write(seen, 'a')).toBe('erased');
    await read();
    const left = query((pipeline) => pipeline.exists(ownerKey(user, 'onboarding')), z.tuple([z.int()]));
    expect(await app.kv.run(left)).toEqual([0]);
  });
});

function configErrorOf(env: Readonly<Record<string, string>>): ConfigError {
  try {
    loadConfig({ ...world.env, ...env });
  } catch (error) {
    if (error instanceof ConfigError) return error;
  }
  throw new Error('The configuration was accepted.');
}
