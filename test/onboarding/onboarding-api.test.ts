import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { onboardingState } from '../../lib/onboarding/onboarding-schema.ts';
import { errorQuotingKey, reset } from '../support/answers.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { kvKey } from '../support/user-ids.ts';

let world: World;
let onboarding: HandlerModule;
let key: HandlerModule;
let token: string;
let count = 0;

beforeAll(async () => {
  world = await startWorld();
  onboarding = await import('../../api/userkeys.ts');
  key = await import('../../api/userkeys.ts');
});
afterAll(() => world.close());
afterEach(() => world.providers.reset());

async function newUser(): Promise<void> {
  count += 1;
  token = await world.tokenFor(`user_${count}`);
}

const ask = (init: Parameters<typeof call>[2] = {}) =>
  call(onboarding, '/api/onboarding', { token, ...init });
const patch = (step: unknown, status: unknown, data?: unknown) =>
  ask({ method: 'PATCH', json: { step, status, data } });
const state = async () => onboardingState.parse(await (await ask()).json());
const save = (provider: string, value = newProviderKey()) =>
  call(key, `/api/keys/${provider}`, { method: 'PUT', token, json: { key: value } });

describe('a user’s session', () => {
  test('exists on the first read with every step pending, and keeps that start time', async () => {
    await newUser();
    const first = await state();
    expect(first).toMatchObject({
      currentStep: 'api-keys',
      progress: 0,
      completedAt: null,
      steps: [
        { id: 'api-keys', title: 'API keys', status: 'pending', required: true, requiredProviders: [] },
        { id: 'try-it', title: 'Try it', status: 'pending', required: false },
        { id: 'finish', title: 'Finish', status: 'pending', required: false },
      ],
    });
    expect(Math.abs(Date.parse(first.startedAt) - Date.now())).toBeLessThan(60_000);
    expect(await state()).toEqual(first);
  });

  test('takes one KV request to read, once it has started', async () => {
    await newUser();
    await ask();
    const before = world.kv.requests.length;
    await ask();
    expect(world.kv.requests.length - before).toBe(1);
  });

  test('can be completed, skipping optional steps', async () => {
    await newUser();
    await save('gemini');
    expect(await (await patch('api-keys', 'completed')).json()).toMatchObject({
      currentStep: 'try-it',
      progress: 1 / 3,
      completedAt: null,
    });
    await patch('try-it', 'skipped');
    const last = await patch('finish', 'completed', { liked: true });
    expect(last.status).toBe(200);
    const end = onboardingState.parse(await last.json());
    expect(end).toMatchObject({ currentStep: null, progress: 1 });
    expect(end.steps.map(({ status }) => status)).toEqual(['completed', 'skipped', 'completed']);
    expect(end.steps[2]?.data).toEqual({ liked: true });
    expect(Date.parse(end.completedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(end.startedAt));
    expect(await state()).toEqual(end);
  });

  test('starts again after DELETE, and the keys stay', async () => {
    await newUser();
    await save('exa');
    await patch('api-keys', 'completed', { seen: 1 });
    for (const _again of [1, 2]) expect((await ask({ method: 'DELETE' })).status).toBe(204);
    expect(await state()).toMatchObject({ progress: 0, steps: [{ status: 'pending' }, {}, {}] });
    expect((await state()).steps[0]).not.toHaveProperty('data');
    expect((await patch('api-keys', 'completed')).status).toBe(200);
  });

  test('is not visible to other users', async () => {
    await newUser();
    await save('exa');
    await patch('api-keys', 'completed', { secret: 'mine' });
    await newUser();
    expect(JSON.stringify(await state())).not.toContain('mine');
    expect(await state()).toMatchObject({ progress: 0 });
  });

  test('requires a token', async () => {
    expect((await call(onboarding, '/api/onboarding')).status).toBe(401);
  });
});

describe('the step api-keys', () => {
  test('cannot be completed without a key, whatever the page sends', async () => {
    await newUser();
    const response = await patch('api-keys', 'completed');
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ code: 'step_incomplete' });
    expect(await state()).toMatchObject({ progress: 0 });
  });

  test('cannot be completed with a key that the provider has since rejected', async () => {
    await newUser();
    await save('openai');
    world.providers.answerNextWith(errorQuotingKey(401));
    await call(key, '/api/keys/openai', { method: 'POST', token });
    expect((await patch('api-keys', 'completed')).status).toBe(409);
  });

  test('can be completed with an unverified key, so that an outage of the provider blocks no user', async () => {
    await newUser();
    world.providers.answerNextWith(reset);
    expect(await (await save('openai')).json()).toMatchObject({ status: 'unverified' });
    expect((await patch('api-keys', 'completed')).status).toBe(200);
  });

  test('cannot be skipped', async () => {
    await newUser();
    const response = await patch('api-keys', 'skipped');
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ code: 'step_required' });
  });
});

describe('a change', () => {
  test('to a later step is refused while an earlier one is pending', async () => {
    await newUser();
    const response = await patch('finish', 'completed');
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ code: 'step_out_of_order', currentStep: 'api-keys' });
  });

  test('that is repeated changes nothing and takes one KV request', async () => {
    await newUser();
    await save('exa');
    const first = await (await patch('api-keys', 'completed', { a: 1 })).json();
    const before = world.kv.requests.length;
    expect(await (await patch('api-keys', 'completed', { a: 1 })).json()).toEqual(first);
    expect(await (await patch('api-keys', 'completed')).json()).toEqual(first);
    expect(world.kv.requests.length - before).toBe(2);
  });

  test('to a completed step replaces it, and later steps stay', async () => {
    await newUser();
    await save('exa');
    await patch('api-keys', 'completed', { a: 1 });
    await patch('try-it', 'skipped', { b: 2 });
    await patch('finish', 'completed', { c: 3 });
    const end = await state();
    await patch('api-keys', 'completed', { a: 'again' });
    await patch('try-it', 'completed');
    const redone = await state();
    expect(redone.steps.map(({ data }) => data)).toEqual([{ a: 'again' }, { b: 2 }, { c: 3 }]);
    expect(redone.steps[1]?.status).toBe('completed');
    expect(redone.completedAt).toBe(end.completedAt);
  });

  test('is never lost: every one of many concurrent changes is kept', async () => {
    await newUser();
    await save('exa');
    await patch('api-keys', 'completed');
    await patch('try-it', 'completed');
    const tabs = Array.from({ length: 4 }, (_, tab) => [
      patch('api-keys', 'completed', { tab }),
      patch('try-it', 'completed', { tab }),
      patch('finish', 'completed', { tab }),
    ]).flat();
    for (const response of await Promise.all(tabs)) expect(response.status).toBe(200);
    const end = await state();
    expect(end.progress).toBe(1);
    for (const { data } of end.steps) expect(data).toEqual({ tab: expect.any(Number) });
  });

  test.each([
    ['an unknown step', { step: 'nowhere', status: 'completed' }, '/step'],
    ['a step called __proto__', { step: '__proto__', status: 'completed' }, '/step'],
    ['a step called constructor', { step: 'constructor', status: 'completed' }, '/step'],
    ['a step that is a number', { step: 1, status: 'completed' }, '/step'],
    ['a status it cannot set', { step: 'api-keys', status: 'pending' }, '/status'],
    ['data that is a list', { step: 'api-keys', status: 'completed', data: [] }, '/data'],
    ['data that is null', { step: 'api-keys', status: 'completed', data: null }, '/data'],
    ['data over 16 KB', { step: 'api-keys', status: 'completed', data: { a: 'é'.repeat(8_192) } }, '/data'],
    ['an unknown field', { step: 'api-keys', status: 'completed', completedAt: 'now' }, ''],
  ])('with %s is refused, with a pointer to the field', async (_what, body, pointer) => {
    await newUser();
    await save('exa');
    const response = await ask({ method: 'PATCH', json: body });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'invalid_request', errors: [{ pointer }] });
    expect(await state()).toMatchObject({ progress: 0 });
  });

  test.each([
    ['a number that JSON cannot represent', '{"n":1e999}', '/data/n'],
    ['such a number in nested data', '{"l":[0,{"n":-1e999}]}', '/data/l/1/n'],
    ['the name __proto__', '{"__proto__":{"x":1}}', '/data/__proto__'],
    ['that name in nested data', '{"a":[{"__proto__":1}]}', '/data/a/0/__proto__'],
    ['forty levels', `{"a":${'['.repeat(40)}${']'.repeat(40)}}`, '/data'],
    ['twenty thousand levels', `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, ''],
  ])('with data that cannot be returned unchanged is refused: %s', async (_what, data, pointer) => {
    const body = `{"step":"api-keys","status":"completed","data":${data}}`;
    await newUser();
    await save('exa');
    const response = await ask({ method: 'PATCH', body });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'invalid_request', errors: [{ pointer }] });
  });

  test.each(['NaN', 'Infinity', '-Infinity', '0x10', '.5', '01'])(
    'with the number %s is not JSON',
    async (number) => {
      await newUser();
      const body = `{"step":"api-keys","status":"completed","data":{"n":${number}}}`;
      expect(await (await ask({ method: 'PATCH', body })).json()).toMatchObject({ code: 'invalid_json' });
    },
  );

  test('with a body over 64 KB is refused before it is parsed', async () => {
    await newUser();
    const response = await patch('api-keys', 'completed', { a: 'x'.repeat(70_000) });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ code: 'body_too_large' });
  });

  test('keeps every name and value of its data, up to exactly 16 KB', async () => {
    await newUser();
    await save('exa');
    const odd = {
      constructor: 1,
      toString: null,
      '': [true, { '~/': -0.5 }],
      '\u2028': '\ud83d\ude00',
      fill: '',
    };
    const fill = 'x'.repeat(16 * 1024 - new TextEncoder().encode(JSON.stringify(odd)).length);
    const data = { ...odd, fill };
    expect((await patch('api-keys', 'completed', data)).status).toBe(200);
    expect((await state()).steps[0]?.data).toEqual(data);
  });
});

test('a damaged record makes its step pending and does not hide other steps', async () => {
  await newUser();
  const user = `user_${count}`;
  await save('exa');
  await patch('api-keys', 'completed', { a: 1 });
  await patch('try-it', 'completed', { b: 2 });
  const damage = await fetch(world.kv.url, {
    method: 'POST',
    headers: { authorization: `Bearer ${world.kv.token}` },
    body: JSON.stringify(['HSET', kvKey('onboarding', user), 'step:api-keys', '{"v":9', 'startedAt', 'noon']),
  });
  expect(damage.status).toBe(200);
  expect(await state()).toMatchObject({
    currentStep: 'api-keys',
    steps: [{ status: 'pending' }, { status: 'completed', data: { b: 2 } }, {}],
  });
  expect((await patch('api-keys', 'completed')).status).toBe(200);
  expect(await state()).toMatchObject({ currentStep: 'finish' });
});
