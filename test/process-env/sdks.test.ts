/** The official SDKs, constructed in a scope without a key argument, use the caller's key. */
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { ProviderId } from '../../lib/providers/catalogue.ts';
import { json } from '../support/answers.ts';
import { call, type HandlerModule } from '../support/call.ts';
import type { RecordedCall } from '../support/recorded-call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let withUserEnv: typeof import('../../lib/process-env/with-user-env.ts').withUserEnv;
const users = Array.from({ length: 10 }, (_, index) => `user-${index}`);
const keys = new Map(users.map((user) => [user, newProviderKey(`sk-${user}-`)]));
const operators = newProviderKey('sk-operator-');

beforeAll(async () => {
  for (const name of ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'ANTHROPIC_AUTH_TOKEN']) {
    process.env[name] = operators;
  }
  world = await startWorld();
  process.env.GOOGLE_GEMINI_BASE_URL = world.env.GEMINI_BASE_URL;
  // Without a key this SDK looks up the machine's own Google account over the network.
  process.env.METADATA_SERVER_DETECTION = 'none';
  // The SDKs warn that several of their variables are set, which is intended here.
  vi.spyOn(console, 'warn').mockReturnValue();
  vi.spyOn(console, 'debug').mockReturnValue();
  ({ withUserEnv } = await import('../../lib/process-env/with-user-env.ts'));
  const endpoint: HandlerModule = await import('../../api/userkeys.ts');
  for (const [user, key] of keys) {
    const token = await world.tokenFor(user);
    for (const provider of ['openai', 'anthropic', 'gemini']) {
      await call(endpoint, `/api/keys/${provider}`, { method: 'PUT', token, json: { key } });
    }
  }
});
beforeEach(() => world.providers.reset());
afterAll(() => world.close());

/** Each SDK as the old system's code uses it, with a realistic provider answer. */
const sdks: readonly {
  readonly provider: ProviderId;
  readonly answer: unknown;
  readonly ask: (prompt: string) => Promise<unknown>;
}[] = [
  {
    provider: 'openai',
    answer: { id: 'resp_1', object: 'response', status: 'completed', output: [] },
    ask: (input) => new OpenAI().responses.create({ model: 'model', input }),
  },
  {
    provider: 'anthropic',
    answer: { id: 'msg_1', type: 'message', role: 'assistant', content: [], stop_reason: 'end_turn' },
    ask: (content) =>
      new Anthropic().messages.create({
        model: 'model',
        max_tokens: 9,
        messages: [{ role: 'user', content }],
      }),
  },
  {
    provider: 'gemini',
    answer: { candidates: [{ content: { role: 'model', parts: [{ text: 'hello' }] }, index: 0 }] },
    ask: (contents) => new GoogleGenAI({}).models.generateContent({ model: 'model', contents }),
  },
];

it.each(sdks)(
  '$provider uses each caller’s own key for overlapping callers',
  async ({ provider, answer, ask }) => {
    world.providers.answerWith(json(answer), provider);
    const handler = withUserEnv(async (_request: Request, user: string) => {
      await ask(user);
      return new Response('done');
    });
    const answers = await Promise.all(
      users.map(async (user) => {
        const headers = { authorization: `Bearer ${await world.tokenFor(user)}` };
        return handler(new Request('http://127.0.0.1/', { headers }), user);
      }),
    );
    expect(answers.map(({ status }) => status)).toEqual(users.map(() => 200));
    expect(world.calls).toHaveLength(users.length);
    for (const made of world.calls) {
      await made.received;
      const user = users.find((name) => made.body().toString().includes(`"${name}"`));
      expect(credentialsOf(made)).toEqual([keys.get(user ?? '')]);
    }
  },
);

it.each(sdks)(
  '$provider, for a caller without a key, has no key to fall back to',
  async ({ provider, ask }) => {
    const handler = withUserEnv(async () => {
      await ask('hello');
      return new Response('done');
    });
    const headers = { authorization: `Bearer ${await world.tokenFor('nobody')}` };
    await expect(handler(new Request('http://127.0.0.1/', { headers }))).rejects.toThrow();
    for (const made of world.calls) expect(credentialsOf(made)).toEqual([]);
    expect(world.calls.filter((made) => made.provider !== provider)).toEqual([]);
  },
);

/** Every credential of a call, in any header. */
function credentialsOf({ headers }: RecordedCall): readonly string[] {
  const sent = [
    headers.authorization?.replace('Bearer ', ''),
    headers['x-api-key'],
    headers['x-goog-api-key'],
  ];
  return sent.flatMap((credential) => (typeof credential === 'string' ? [credential] : []));
}
