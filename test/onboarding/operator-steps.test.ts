import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { composeApp } from '../../lib/compose.ts';
import { ConfigError, loadConfig } from '../../lib/config.ts';
import { isUserId } from '../../lib/identity/user-id.ts';
import { callStart, markErased } from '../../lib/kv/erasure.ts';
import { type Ask, both } from '../../lib/kv/kv.ts';
import { deleteSession, readSession, type Session, writeStep } from '../../lib/onboarding/session.ts';
import { createUndiciSend } from '../../lib/outgoing/undici-send.ts';
import { findProvider, type ProviderId } from '../../lib/providers/catalogue.ts';
import { Secret } from '../../lib/secret.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

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

/** An app with these variables and a clock the test moves. */
async function openApp(env: Readonly<Record<string, string>>, clock: { now: number } = { now: Date.now() }) {
  const config = loadConfig({ ...world.env, ...env });
  const app = await composeApp(config, {
    send: createUndiciSend(),
    after: () => {},
    clock: () => new Date(clock.now),
  });
  const save = async (provider: ProviderId) => {
    const found = findProvider(provider);
    if (found) await app.keys.save(user, found, new Secret(newProviderKey()));
  };
  const user = newUser();
  return { app, user, save };
}

let count = 0;
function newUser() {
  count += 1;
  const user = `operator_user_${count}`;
  if (!isUserId(user)) throw new Error('not a user id');
  return user;
}

describe('an operator’s list of steps', () => {
  test('is what users go through, in its order, with its titles', async () => {
    const { app, user, save } = await openApp({ ONBOARDING_STEPS: CONTENT_MARKETING });
    await save('gemini');
    await app.onboarding.change(user, { step: 'api-keys', status: 'completed' });
    await expect(app.onboarding.change(user, { step: 'website', status: 'skipped' })).rejects.toMatchObject({
      code: 'step_required',
    });
    await app.onboarding.change(user, {
      step: 'website',
      status: 'completed',
      data: { url: 'https://shop.example' },
    });
    for (const step of ['research', 'personalization', 'integrations']) {
      await app.onboarding.change(user, { step, status: 'skipped' });
    }
    const before = await app.onboarding.read(user);
    expect(before).toMatchObject({ currentStep: 'finish', progress: 5 / 6, completedAt: null });
    const end = await app.onboarding.change(user, { step: 'finish', status: 'completed' });
    expect(end).toMatchObject({ currentStep: null, progress: 1 });
    expect(end.steps[1]).toMatchObject({ title: 'Your website', data: { url: 'https://shop.example' } });
  });

  test('may grow later: who was done has the new step before them, and keeps the rest', async () => {
    const clock = { now: Date.parse('2026-03-01T10:00:00Z') };
    const { app, user, save } = await openApp({}, clock);
    await save('exa');
    for (const step of ['api-keys', 'try-it', 'finish']) {
      await app.onboarding.change(user, { step, status: 'completed', data: { step } });
    }
    const grown = await openApp({
      ONBOARDING_STEPS: JSON.stringify([
        { id: 'api-keys', title: 'API keys' },
        { id: 'terms', title: 'Terms' },
        { id: 'finish', title: 'Finish' },
      ]),
    });
    expect(await grown.app.onboarding.read(user)).toMatchObject({
      currentStep: 'terms',
      progress: 2 / 3,
      completedAt: null,
      steps: [{ data: { step: 'api-keys' } }, { status: 'pending' }, { data: { step: 'finish' } }],
    });
  });

  test.each([
    ['not JSON', 'api-keys,try-it'],
    ['no list', '{"id":"a","title":"A"}'],
    ['an empty list', '[]'],
    ['no title', '[{"id":"sentinel"}]'],
    ['an id in capitals', '[{"id":"Sentinel","title":"A"}]'],
    ['an id called __proto__', '[{"id":"__proto__","title":"sentinel"}]'],
    ['a title of two lines', '[{"id":"a","title":"sentinel\\nB"}]'],
    ['the same id twice', '[{"id":"sentinel","title":"A"},{"id":"sentinel","title":"B"}]'],
    ['an unknown field', '[{"id":"a","title":"A","sentinel":true}]'],
    ['required in words', '[{"id":"a","title":"A","required":"sentinel"}]'],
    [
      'twenty-one steps',
      JSON.stringify(Array.from({ length: 21 }, (_, n) => ({ id: `sentinel${n}`, title: 'A' }))),
    ],
  ])('that has %s stops the start, named by its variable and without its text', (_what, text) => {
    const problem = complaintAbout({ ONBOARDING_STEPS: text });
    expect(problem.variables).toEqual(['ONBOARDING_STEPS']);
    expect(problem.message.toLowerCase()).not.toContain('sentinel');
  });

  test('says which step is wrong', () => {
    const text = '[{"id":"a","title":"A"},{"id":"b","title":""}]';
    expect(complaintAbout({ ONBOARDING_STEPS: text }).message).toContain('step 2: "title"');
  });
});

describe('required providers', () => {
  test('must each have a usable key; those that do not are named', async () => {
    const { app, user, save } = await openApp({ ONBOARDING_PROVIDERS: 'gemini, exa' });
    await save('gemini');
    await save('openai');
    const complete = () => app.onboarding.change(user, { step: 'api-keys', status: 'completed' });
    await expect(complete()).rejects.toMatchObject({
      code: 'step_incomplete',
      message: 'Add a working key first for: Exa.',
      members: { missingProviders: 'exa' },
    });
    await save('exa');
    expect((await complete()).steps[0]).toMatchObject({
      status: 'completed',
      requiredProviders: ['gemini', 'exa'],
    });
  });

  test('that no one knows stop the start', () => {
    const problem = complaintAbout({ ONBOARDING_PROVIDERS: 'gemini,sentinel' });
    expect(problem.variables).toEqual(['ONBOARDING_PROVIDERS']);
    expect(problem.message).not.toContain('sentinel');
  });
});

test('a clock set back never shows an end before the start', async () => {
  const clock = { now: Date.parse('2026-03-01T10:00:00Z') };
  const { app, user, save } = await openApp({}, clock);
  await save('exa');
  const { startedAt } = await app.onboarding.read(user);
  clock.now -= 24 * 60 * 60_000;
  for (const step of ['api-keys', 'try-it', 'finish']) {
    await app.onboarding.change(user, { step, status: 'completed' });
  }
  expect(await app.onboarding.read(user)).toMatchObject({ progress: 1, startedAt, completedAt: startedAt });
});

describe('a step decided on a view that is no longer true', () => {
  const record = { v: 1, status: 'completed', doneAt: '2026-03-01T10:00:00.000Z' } as const;

  async function openSession() {
    const { app, user } = await openApp({});
    const start = await callStart(user, new Date());
    return {
      app,
      user,
      start,
      read: () => app.kv.ask(readSession(user, ['a', 'b'], start)),
      write: (seen: Session, step: string) => app.kv.ask(writeStep(user, seen, step, record, start)),
    };
  }

  test('is not written after another tab wrote', async () => {
    const { read, write } = await openSession();
    const seen = await read();
    expect(await write(seen, 'a')).toBe(true);
    expect(await write(seen, 'b')).toBe(false);
    expect([...(await read()).done.keys()]).toEqual(['a']);
  });

  test('is not written after the session was started over, and brought as far again', async () => {
    const { app, user, read, write } = await openSession();
    await write(await read(), 'a');
    const seen = await read();
    await app.onboarding.startOver(user);
    expect(await write(seen, 'b')).toBe(false);
    await write(await read(), 'a');
    expect(await write(seen, 'b')).toBe(false);
    expect([...(await read()).done.keys()]).toEqual(['a']);
  });

  test('is not written after the user was erased, and not even a start is', async () => {
    const { app, user, start, read, write } = await openSession();
    const seen = await read();
    await app.kv.ask(both(markErased(start), deleteSession(user)));
    await expect(write(seen, 'a')).rejects.toMatchObject({ code: 'account_erased' });
    await read();
    const left: Ask<unknown> = {
      commands: 1,
      add: (batch) => void batch.exists(`userkeys:onboarding:${user}`),
      read: ([count]) => Number(count),
    };
    expect(await app.kv.ask(left)).toBe(0);
  });
});

function complaintAbout(env: Readonly<Record<string, string>>): ConfigError {
  try {
    loadConfig({ ...world.env, ...env });
  } catch (error) {
    if (error instanceof ConfigError) return error;
  }
  throw new Error('The configuration was accepted.');
}
