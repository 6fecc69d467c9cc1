/** One user of a store, what they can do, and what they then see: the same for every way of breaking things. */
import { expect } from 'vitest';
import type { HandlerModule } from '../support/call.ts';
import { call } from '../support/call.ts';
import { newProviderKey, type World } from '../support/start-world.ts';

/** Calls an app, and resolves after the app has also written what it writes after the answer. */
export type Ask = (
  method: string,
  path: string,
  options: { readonly token: string; readonly json?: unknown },
) => Promise<{ readonly status: number; readonly text: string }>;

export function askModule(module: HandlerModule, settled: () => Promise<unknown>): Ask {
  return async (method, path, { token, json }) => {
    const response = await call(module, path, { method, token, ...(json === undefined ? {} : { json }) });
    // A body that breaks off is an answer that did not arrive.
    const text = await response.text().catch(() => undefined);
    await settled();
    return text === undefined ? { status: 0, text: '' } : { status: response.status, text };
  };
}

export type Person = {
  readonly sub: string;
  readonly token: string;
  /** The keys of this person: those that are stored at first, and the one that an operation saves. */
  readonly keys: { readonly openai: string; readonly exa: string; readonly next: string };
};

let count = 0;

export async function newPerson(world: World): Promise<Person> {
  count += 1;
  const sub = `person-${process.pid}-${count}-end`;
  const token = await world.tokenFor(sub, { exp: Math.floor(Date.now() / 1000) + 600 });
  return { sub, token, keys: { openai: newProviderKey(), exa: newProviderKey(), next: newProviderKey() } };
}

/** Two keys, of which one has guards. */
export async function storeKeys(ask: Ask, { token, keys }: Person): Promise<void> {
  const answers = [
    await ask('PUT', '/api/keys/openai', { token, json: { key: keys.openai } }),
    await ask('PUT', '/api/keys/exa', { token, json: { key: keys.exa } }),
    await ask('PATCH', '/api/keys/openai', { token, json: { guards: { callsPerDay: 50 } } }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 200]);
}

export type Operation = {
  readonly name: string;
  /** Whether the two keys are stored before. */
  readonly begins: 'with keys' | 'empty';
  run(ask: Ask, person: Person): ReturnType<Ask>;
};

/** The person's name in the call tells at the provider whose call it was. */
const chat = ({ sub }: Person) => ({ model: 'm', messages: [{ role: 'user', content: sub }] });

export const operations: readonly Operation[] = [
  {
    name: 'save',
    begins: 'empty',
    run: (ask, { token, keys }) => ask('PUT', '/api/keys/openai', { token, json: { key: keys.next } }),
  },
  {
    name: 'replace',
    begins: 'with keys',
    run: (ask, { token, keys }) => ask('PUT', '/api/keys/openai', { token, json: { key: keys.next } }),
  },
  {
    name: 'guard',
    begins: 'with keys',
    run: (ask, { token }) => ask('PATCH', '/api/keys/openai', { token, json: { guards: { paused: true } } }),
  },
  {
    name: 'delete',
    begins: 'with keys',
    run: (ask, { token }) => ask('DELETE', '/api/keys/openai', { token }),
  },
  {
    name: 'delete all',
    begins: 'with keys',
    run: (ask, { token }) => ask('DELETE', '/api/keys', { token }),
  },
  {
    name: 'check',
    begins: 'with keys',
    run: (ask, { token }) => ask('POST', '/api/keys/openai', { token }),
  },
  {
    name: 'call',
    begins: 'with keys',
    run: (ask, person) =>
      ask('POST', '/api/proxy/openai/v1/chat/completions', { token: person.token, json: chat(person) }),
  },
  {
    name: 'streamed call',
    begins: 'with keys',
    run: (ask, person) =>
      ask('POST', '/api/proxy/openai/v1/chat/completions', {
        token: person.token,
        json: { ...chat(person), stream: true },
      }),
  },
  {
    name: 'generate',
    begins: 'with keys',
    run: (ask, { token, sub }) =>
      ask('POST', '/api/generate', { token, json: { provider: 'openai', model: 'm', prompt: sub } }),
  },
  {
    name: 'erase',
    begins: 'with keys',
    run: (ask, { token }) => ask('DELETE', '/api/account', { token }),
  },
];

/**
 * What a person sees: their keys with their guards, and the key with which each provider is really called, named by
 * its role. Times and counts are left out. A key of somebody else shows as `foreign`.
 */
export async function seenBy(ask: Ask, world: World, person: Person): Promise<unknown> {
  const { token } = person;
  const list = await ask('GET', '/api/keys', { token });
  expect(list.status, list.text).toBe(200);
  const { keys }: { keys: { provider: string; status: string; guards?: { callsToday?: number } }[] } =
    JSON.parse(list.text);
  const stored = keys.map(({ provider, status, guards: { callsToday: _, ...guards } = {} }) => ({
    provider,
    status,
    guards,
  }));
  const used = {
    openai: await keyInUse(ask, world, person, ['openai', 'GET', '/v1/models']),
    exa: await keyInUse(ask, world, person, ['exa', 'POST', '/search']),
  };
  return { stored, used };
}

async function keyInUse(
  ask: Ask,
  world: World,
  person: Person,
  [provider, method, path]: readonly ['openai' | 'exa', string, string],
): Promise<string> {
  const { token, sub } = person;
  const before = world.calls.length;
  const json = method === 'POST' ? { query: sub } : undefined;
  const answer = await ask(method, `/api/proxy/${provider}${path}?of=${sub}`, { token, json });
  const calls = callsOf(world, person, before);
  if (answer.status !== 200) {
    expect(calls, 'a refused call reaches no provider').toEqual([]);
    return JSON.parse(answer.text).code;
  }
  expect(calls).toHaveLength(1);
  return calls[0] ?? '';
}

/**
 * The calls of this person that reached a provider, since there were `from` calls in all: the role of the key with
 * which each was made, or `foreign`.
 */
export function callsOf(world: World, { sub, keys }: Person, from: number): readonly string[] {
  const roles = Object.entries(keys);
  return world.calls.slice(from).flatMap(({ credential, target, body }) => {
    const role = roles.find(([, key]) => key === credential)?.[0];
    if (role !== undefined) return [role];
    return `${target} ${body()}`.includes(sub) ? ['foreign'] : [];
  });
}

/** The actions of the person's audit log that it says succeeded. */
export async function auditedActions(ask: Ask, { token }: Person): Promise<readonly string[]> {
  const answer = await ask('GET', '/api/audit', { token });
  expect(answer.status, answer.text).toBe(200);
  const { entries }: { entries: { action: string; outcome: string }[] } = JSON.parse(answer.text);
  return entries.filter(({ outcome }) => outcome === 'ok').map(({ action }) => action);
}
