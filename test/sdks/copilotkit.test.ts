/** The example of docs/copilotkit.md, run as it stands there. */
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createWebServer } from '../../dev/http/create-web-server.ts';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';
import { createCopilotKit } from '../../docs/examples/copilotkit-runtime.ts';
import { json } from '../support/answers.ts';
import { fromAimock } from './harness/emulate.ts';
import { HELLO, type Stage, startStage } from './harness/stage.ts';
import { expectCleanWire } from './harness/wire.ts';

let stage: Stage;
let url: string;
let stop: () => Promise<void>;
/** What the runtime prints: it logs the errors of its agents in full. */
const logged: string[] = [];

beforeAll(async () => {
  vi.spyOn(console, 'error').mockImplementation((...values) => void logged.push(inspect(values)));
  stage = await startStage();
  const server = createWebServer(createCopilotKit(stage.session.gateway));
  url = `http://${LOOPBACK}:${await listen(server)}/api/copilotkit`;
  stop = () => closeServer(server);
});
afterAll(async () => {
  await stop();
  await stage.close();
});
beforeEach(() => {
  logged.length = 0;
  stage.world.providers.reset();
  stage.world.providers.answerWith(fromAimock(stage.aimock), 'openai');
  stage.tap.exchanges.length = 0;
});

/** What CopilotKit's React provider sends, with the header that `headers={{ Authorization }}` adds. */
async function chat(token: string | undefined, threadId: string): Promise<string> {
  const response = await fetch(`${url}/agent/default/run`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({
      ...{ threadId, runId: `run-${threadId}`, state: {}, tools: [], context: [], forwardedProps: {} },
      messages: [{ id: `m-${threadId}`, role: 'user', content: 'Hello' }],
    }),
  });
  return response.text();
}

const textOf = (events: string) =>
  [...events.matchAll(/"delta":("(?:[^"\\]|\\.)*")/g)].map(([, delta = '""']) => JSON.parse(delta)).join('');

test('a chat is answered by the model, paid by the user’s own key', async () => {
  expect(textOf(await chat(await stage.session.getToken(), 't1'))).toBe(HELLO);
  expect(stage.world.calls.map(({ credential }) => credential)).toEqual([stage.keys.get('openai')]);
  expectCleanWire(stage);
});

test('of two users at once each pays for their own', async () => {
  const other = await stage.world.tokenFor('user_2');
  const [mine, others] = await Promise.all([chat(await stage.session.getToken(), 't2'), chat(other, 't3')]);
  expect(textOf(mine)).toBe(HELLO);
  expect(others).toContain('RUN_ERROR');
  expect(stage.world.calls).toHaveLength(1);
});

test('a caller without a session gets no answer, and no key is used', async () => {
  expect(await chat(undefined, 't4')).toContain('RUN_ERROR');
  expect(stage.world.calls).toHaveLength(0);
});

test('a provider’s refusal comes through as an error of the run, without the key', async () => {
  const message = `Incorrect API key provided: ${stage.keys.get('openai')}`;
  stage.world.providers.answerWith(json({ error: { message } }, 400), 'openai');
  const events = await chat(await stage.session.getToken(), 't5');
  expect(events).toContain('RUN_ERROR');
  expect(events).not.toContain(stage.keys.get('openai'));
  expect(logged.join('\n')).toContain('[key]');
  expect(logged.join('\n')).not.toContain(stage.keys.get('openai'));
  expect(logged.join('\n')).not.toContain(await stage.session.getToken());
  expectCleanWire(stage);
});
