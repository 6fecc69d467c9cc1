/** The cases, the same for every SDK. */
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { type Answer, hang, json } from '../../support/answers.ts';
import type { RecordedCall } from '../../support/recorded-call.ts';
import { createGate, fromAimock } from './emulate.ts';
import type { CaseName, Lacks, Sdk, SdkSpec } from './sdk.ts';
import { HELLO, type Stage } from './stage.ts';
import { expectCleanWire } from './wire.ts';

/** What is uploaded: every byte there is, so that no text conversion goes unnoticed. */
export const FILE = Buffer.concat([
  Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
  randomBytes(2_000),
]);
/** What comes down in binary cases. */
export const BINARY = Buffer.concat([
  Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
  randomBytes(70_000),
]);

export function sdk<Client, Given>(spec: SdkSpec<Client, Given>): Sdk {
  return {
    name: spec.name,
    package: spec.package,
    provider: spec.provider,
    lack(name) {
      const given = name === 'plain' || name === 'error' ? undefined : spec[name];
      if (isLacking(given)) return given.lacks;
      return name === 'leave' && isLacking(spec.stream) ? 'no streams' : undefined;
    },
    async run(name, stage) {
      stage.world.providers.reset();
      stage.tap.exchanges.length = 0;
      stage.world.providers.answerWith(spec.answer?.(stage) ?? fromAimock(stage.aimock), spec.provider);
      const { client, answer } = await spec.snippet(stage.session);
      expect(await spec.read(answer)).toEqual(spec.gives ?? HELLO);
      if (name !== 'plain') {
        stage.world.providers.reset();
        stage.world.providers.answerWith(spec.answer?.(stage) ?? fromAimock(stage.aimock), spec.provider);
        await RUN[name](spec, client, stage);
      }
      expect(stage.world.calls.length).toBeGreaterThan(0);
      expect(stage.world.calls.every(({ provider }) => provider === spec.provider)).toBe(true);
      expectCleanWire(stage);
    },
  };
}

type RunCase = <Client, Given>(spec: SdkSpec<Client, Given>, client: Client, stage: Stage) => Promise<void>;

const RUN: Readonly<Record<Exclude<CaseName, 'plain'>, RunCase>> = {
  /** The first piece is in the caller's hands before the provider has sent its last; then all of them, in order. */
  async stream({ stream, provider }, client, stage) {
    const { run, answer } = present(stream);
    const gate = createGate();
    stage.world.providers.answerWith(answer?.(gate, stage) ?? fromAimock(stage.aimock, { gate }), provider);
    let text = '';
    for await (const piece of await run(client)) {
      if (!piece) continue;
      if (text === '') expect(gate.passed).toBe(false);
      text += piece;
      gate.open();
    }
    expect(text).toBe(HELLO);
    expect(gate.passed).toBe(true);
    expect(stage.tap.exchanges.at(-1)?.answerBody()).toEqual(Buffer.concat(gate.sent));
  },

  /** Who leaves in the middle of a stream, by a signal where the SDK takes one, ends the provider's call. */
  async leave({ stream, provider }, client, stage) {
    const { run, answer } = present(stream);
    const gate = createGate();
    stage.world.providers.answerWith(answer?.(gate, stage) ?? fromAimock(stage.aimock, { gate }), provider);
    const leaving = new AbortController();
    for await (const piece of await run(client, leaving.signal)) {
      if (piece) break;
    }
    leaving.abort();
    await stage.world.calls.at(-1)?.left;
    expect(gate.passed).toBe(false);
  },

  async error({ error, provider, call }, client, stage) {
    const body = error.body ?? {
      error: { message: 'Bad model', type: 'invalid_request_error', code: 'bad' },
    };
    stage.world.providers.answerWith(json(body, 400, { 'x-should-retry': 'false' }), provider);
    const thrown: unknown = await call(client).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error.is(thrown), String(thrown)).toBe(true);
    if (error.status) expect(error.status(thrown)).toBe(400);
    expect(everythingIn(thrown)).toContain('Bad model');
    expect(stage.tap.exchanges.at(-1)).toMatchObject({ status: 400 });
    expect(JSON.parse(String(stage.tap.exchanges.at(-1)?.answerBody()))).toEqual(body);
  },

  async abort({ provider, call }, client, stage) {
    const arrived = createSignal<RecordedCall>();
    stage.world.providers.answerWith((recorded, response) => {
      arrived.give(recorded);
      return hang(recorded, response);
    }, provider);
    const leaving = new AbortController();
    const outcome = call(client, leaving.signal).then(
      () => 'answered',
      () => 'aborted',
    );
    const recorded = await arrived.promise;
    leaving.abort();
    expect(await outcome).toBe('aborted');
    await recorded.left;
  },

  async retry({ call, gives }, client, stage) {
    const limited = { error: { message: 'Slow down', type: 'rate_limit' }, message: 'Slow down' };
    stage.world.providers.answerNextWith(json(limited, 429, { 'retry-after': '0', 'retry-after-ms': '1' }));
    expect(await call(client)).toEqual(gives ?? HELLO);
    expect(stage.world.calls).toHaveLength(2);
  },

  async freshToken({ call, gives }, client, stage) {
    const renewed = await stage.renewToken();
    expect(await call(client)).toEqual(gives ?? HELLO);
    expect(JSON.stringify(stage.tap.exchanges.at(-1)?.requestHeaders)).toContain(renewed);
  },

  async upload({ upload, provider }, client, stage) {
    await playScene(present(upload), client, stage, provider);
    expect(stage.world.calls.some((recorded) => recorded.body().includes(FILE))).toBe(true);
  },

  async binary({ binary, provider }, client, stage) {
    const scene = { gives: BINARY.toString('base64'), ...present(binary) };
    const run = async (of: typeof client) => base64(await scene.run(of));
    await playScene({ ...scene, run }, client, stage, provider);
  },

  async poll({ poll, provider }, client, stage) {
    await playScene(present(poll), client, stage, provider);
  },

  async pages({ pages, provider }, client, stage) {
    await playScene(present(pages), client, stage, provider);
  },
};

function createSignal<T>() {
  let give: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    give = resolve;
  });
  return { promise, give: (value: T) => give(value) };
}

async function playScene<Client>(
  scene: {
    readonly answers: readonly Answer[];
    readonly run: (client: Client) => Promise<unknown>;
    readonly gives: unknown;
  },
  client: Client,
  stage: Stage,
  provider: SdkSpec<Client>['provider'],
): Promise<void> {
  stage.world.providers.answerWith(json({ error: { message: 'one call too many' } }, 400), provider);
  for (const answer of scene.answers) stage.world.providers.answerNextWith(answer);
  expect(await scene.run(client)).toEqual(scene.gives);
  expect(stage.world.calls).toHaveLength(scene.answers.length);
}

/** Whatever form an SDK hands bytes out in. */
async function base64(value: unknown): Promise<string> {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString('base64');
  if (value instanceof Blob) return base64(await value.arrayBuffer());
  if (value instanceof ReadableStream) return base64(await new Response(value).arrayBuffer());
  throw new TypeError('The SDK gave no bytes.');
}

/** An error with everything it holds: SDKs put the provider's body in members of their own. */
function everythingIn(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const members = Object.getOwnPropertyNames(error).map((name) => {
    try {
      return JSON.stringify(Reflect.get(error, name)) ?? '';
    } catch {
      return '';
    }
  });
  return [error.message, ...members].join('\n');
}

function present<T>(given: T | Lacks): T {
  if (isLacking(given)) throw new Error(given.lacks);
  return given;
}

function isLacking(given: unknown): given is Lacks {
  return typeof given === 'object' && given !== null && 'lacks' in given;
}
