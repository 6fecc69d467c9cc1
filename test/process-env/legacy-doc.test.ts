/** Runs the examples of docs/legacy.md: its guarantees, the patterns it calls unsafe, and each safe alternative. */
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { type ExampleModule, readExamples } from './doc-examples.ts';
import { type MysqlServer, startMysql } from './mysql-server.ts';

const examples = readExamples('docs/legacy.md');
const shown = new Set<string>();
const anna = newProviderKey('sk-anna-');
const ben = newProviderKey('sk-ben-');
const operators = newProviderKey('sk-operator-');
let world: World;
let mysql: MysqlServer;

beforeAll(async () => {
  process.env.OPENAI_API_KEY = operators;
  mysql = await startMysql();
  process.env.DATABASE_URL = `mysql://app@${LOOPBACK}:${mysql.port}/app?connectionLimit=1`;
  world = await startWorld();
  const endpoint: HandlerModule = await import('../../api/userkeys.ts');
  for (const [user, key] of [
    ['anna', anna],
    ['ben', ben],
  ] as const) {
    const token = await world.tokenFor(user);
    await call(endpoint, '/api/keys/openai', { method: 'PUT', token, json: { key } });
  }
});
beforeEach(() => world.providers.reset());
afterAll(async () => {
  examples.remove();
  await world.close();
  await mysql.close();
});

async function load(name: string): Promise<ExampleModule> {
  shown.add(name);
  return examples.load(name);
}

async function ask({ POST }: ExampleModule, user: string, body = 'a question'): Promise<string> {
  if (POST === undefined) throw new Error('The example has no POST.');
  const token = await world.tokenFor(user);
  const response = await call({ POST }, '/api/ask', { method: 'POST', token, body });
  expect(response.status).toBe(200);
  return response.text();
}

/** The owners of the keys that the provider charged, in order. */
const paidWith = () => world.calls.map(({ credential }) => credential);

describe('the phases', () => {
  it.each([
    ['phase-0', [operators, operators]],
    ['wrap', [anna, ben]],
    ['phase-1', [anna, ben]],
    ['phase-2', [anna, ben]],
    ['phase-3', [anna, ben]],
  ])('%s', async (name, expected) => {
    const module = await load(name);
    expect(await ask(module, 'anna')).toContain('Hello from openai');
    expect(await ask(module, 'ben')).toContain('Hello from openai');
    expect(paidWith()).toEqual(expected);
  });

  it('wrap-node', async () => {
    const { default: handler } = await load('wrap-node');
    const server = createServer((request, response) => void handler?.(request, response));
    const origin = `http://${LOOPBACK}:${await listen(server)}`;
    const authorization = `Bearer ${await world.tokenFor('ben')}`;
    const answer = await fetch(origin, { headers: { authorization } });
    expect(await answer.text()).toBe(`paid with ${ben}`);
    await closeServer(server);
  });
});

describe('a client at module level', () => {
  it('that is built while the module loads uses the operator’s key for every user', async () => {
    const module = await load('client-at-load-unsafe');
    await ask(module, 'anna');
    await ask(module, 'ben');
    expect(paidWith()).toEqual([operators, operators]);
  });

  it('that is kept uses the first caller’s key for every user', async () => {
    const module = await load('client-kept-unsafe');
    await ask(module, 'anna');
    await ask(module, 'ben');
    expect(paidWith()).toEqual([anna, anna]);
  });
});

it('a variable that is read while the module loads has the operator’s value', async () => {
  expect(await ask(await load('read-at-load-unsafe'), 'anna')).toBe(`paid with ${operators}`);
});

it.each([
  ['memoised-unsafe', anna],
  ['memoised-safe', ben],
])('a memoised result: %s', async (name, payer) => {
  const module = await load(name);
  expect(await ask(module, 'anna')).toBe(`a question paid with ${anna}`);
  expect(await ask(module, 'ben')).toBe(`a question paid with ${payer}`);
});

it.each([
  ['queue-unsafe', anna],
  ['queue-safe', ben],
])('a work queue: %s', async (name, payer) => {
  const module = await load(name);
  // Anna’s job waits at the provider until Ben’s job is in the queue after it.
  const course = new EventEmitter();
  world.providers.answerNextWith(async (_call, outgoing) => {
    course.emit('under way');
    await once(course, 'queued');
    outgoing.end();
  });
  const underWay = once(course, 'under way');
  const first = ask(module, 'anna');
  await underWay;
  const second = ask(module, 'ben');
  while (module.waiting?.() === 0) await nextTurn();
  course.emit('queued');
  expect([await second, await first]).toEqual([`paid with ${payer}`, `paid with ${anna}`]);
});

it.each([
  ['stream-unsafe', ben],
  ['stream-safe', anna],
])('anna’s stream, read by ben: %s', async (name, payer) => {
  const module = await load(name);
  expect(await ask(module, 'anna')).toBe('made');
  expect(await ask(module, 'ben')).toBe(`paid with ${payer}`);
});

it.each([
  ['emitter-unsafe', ben],
  ['emitter-safe', anna],
])('anna’s listener, called by ben: %s', async (name, payer) => {
  const module = await load(name);
  const listening = module.listening?.();
  const heard = ask(module, 'anna', 'listen');
  await listening;
  await ask(module, 'ben', 'emit');
  expect(await heard).toBe(`paid with ${payer}`);
});

it.each([
  ['dispatcher-unsafe', undefined, undefined],
  ['dispatcher-safe', anna, ben],
  ['driver-unsafe', undefined, undefined],
  ['driver-safe', anna, ben],
])('a callback of a connection that anna opened and ben uses: %s', async (name, annas, bens) => {
  const module = await load(name);
  expect(await ask(module, 'anna')).toBe(`paid with ${annas}`);
  expect(await ask(module, 'ben')).toBe(`paid with ${bens}`);
});

it.each([
  ['pool-queue-unsafe', undefined, anna],
  ['pool-queue-safe', anna, ben],
])('ben waits for the connection that anna holds: %s', async (name, annas, bens) => {
  const module = await load(name);
  const course = new EventEmitter();
  world.providers.answerNextWith(async (_call, outgoing) => {
    course.emit('under way');
    await once(course, 'queued');
    outgoing.end();
  });
  const underWay = once(course, 'under way');
  const first = ask(module, 'anna');
  await underWay;
  const queued = module.listening?.();
  const second = ask(module, 'ben');
  await queued;
  course.emit('queued');
  expect([await first, await second]).toEqual([`paid with ${annas}`, `paid with ${bens}`]);
});

it.each([
  ['worker-unsafe', undefined],
  ['worker-safe', ben],
])('a worker that anna started and ben uses: %s', async (name, payer) => {
  const module = await load(name);
  expect(await ask(module, 'anna')).toBe(`paid with ${anna}`);
  expect(await ask(module, 'ben')).toBe(`paid with ${payer}`);
});

it('a request reads the values that it assigned itself', async () => {
  expect(await ask(await load('assigned-unsafe'), 'anna')).toBe('paid with the key of a deployed file');
});

it('every example of the page was run', () => {
  expect([...shown].sort()).toEqual(examples.names.toSorted());
});
