/**
 * The service over HTTP, as a deployment serves it: a socket, the router, every route, a store, an issuer and providers.
 * Every suite of this folder attacks one.
 */
import { inspect } from 'node:util';
import { createClient } from '@vercel/kv';
import { vi } from 'vitest';
import { createWebServer } from '../../dev/http/create-web-server.ts';
import { closeServer, listen } from '../../dev/http/listen.ts';
import { composeApp } from '../../lib/compose.ts';
import { loadConfig } from '../../lib/config.ts';
import type { App } from '../../lib/http/call.ts';
import { createRouter } from '../../lib/http/router.ts';
import { createLocalKeys } from '../../lib/local/local-keys.ts';
import { createUndiciSend } from '../../lib/outgoing/undici-send.ts';
import type { ProviderId } from '../../lib/providers/catalogue.ts';
import { routes } from '../../lib/routes.ts';
import { newProviderKey, startWorld, type World, type WorldOptions } from '../support/start-world.ts';
import { type RawAnswer, type RawExchange, type SendOptions, sendRaw } from './raw-http.ts';

export type Person = {
  readonly sub: string;
  readonly token: string;
  readonly keys: ReadonlyMap<ProviderId, string>;
};

export type RequestParts = SendOptions & {
  readonly method?: string;
  /** Sent as `Authorization: Bearer …`. */
  readonly token?: string | undefined;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly body?: string | Uint8Array;
};

export type Service = {
  readonly world: World;
  readonly port: number;
  /** What no response and no log line may hold. */
  readonly secrets: Set<string>;
  /** Log lines and uncaught errors since the last call of this function. */
  takeLog(): string;
  /** Errors that reached the HTTP server: there must be none. */
  readonly escaped: unknown[];
  /** A verified user with a stored key for each of these providers. */
  person(sub: string, providers?: readonly ProviderId[]): Promise<Person>;
  send(target: string, parts?: RequestParts): Promise<RawExchange>;
  /** The one answer to a request. Throws when there is none. */
  call(target: string, parts?: RequestParts): Promise<RawAnswer>;
  /** Waits for what is written after responses. */
  settle(): Promise<void>;
  /** Composes the app anew, with these variables in addition. */
  recompose(env?: Readonly<Record<string, string>>): void;
  /** Every stored key, guard and onboarding session, in the order of their names. */
  snapshot(): Promise<readonly string[]>;
  close(): Promise<void>;
};

/** What a token must say, whatever the deployment expects of it. */
export const AUDIENCE = 'hostile-suite';
export const AUTHORIZED_PARTY = 'https://app.example';

export async function startService(options: WorldOptions = {}): Promise<Service> {
  const world = await startWorld({
    ...options,
    applyEnv: false,
    env: {
      AUTH_AUDIENCE: AUDIENCE,
      AUTH_AUTHORIZED_PARTIES: AUTHORIZED_PARTY,
      LOG_EVERY_CALL: 'true',
      PROVIDER_TIMEOUT_SECONDS: '3',
      ...options.env,
    },
  });
  const lines: string[] = [];
  const escaped: unknown[] = [];
  for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    vi.spyOn(console, method).mockImplementation((...words) => {
      lines.push(
        words.map((word) => (typeof word === 'string' ? word : inspect(word, { depth: 9 }))).join(' '),
      );
    });
  }
  const pending = new Set<Promise<unknown>>();
  const after = (work: Promise<unknown>) => {
    const settled = work
      .catch((error: unknown) => void escaped.push(error))
      .finally(() => pending.delete(settled));
    pending.add(settled);
  };
  const send = createUndiciSend();
  const compose = (env: Readonly<Record<string, string>>): App => {
    const config = loadConfig({ ...world.env, ...env });
    const localKeys = config.localFiles && createLocalKeys(config.localFiles);
    return composeApp(config, { send, after, localKeys });
  };
  let app = compose({});
  let router = createRouter(async () => app, routes, app.basePath);
  const server = createWebServer(
    (request) => router(request),
    (error) => void escaped.push(error),
  );
  const port = await listen(server);
  const secrets = new Set([
    world.kv.token,
    world.env.CRON_SECRET ?? '',
    ...(world.env.VAULT_KEYS ?? '').split(',').map((key) => key.split(':')[1] ?? ''),
  ]);
  secrets.delete('');

  const service: Service = {
    world,
    port,
    secrets,
    escaped,
    takeLog: () => lines.splice(0).join('\n'),
    async person(sub, providers = []) {
      const token = await tokenFor(world, sub);
      const keys = new Map(providers.map((provider) => [provider, newProviderKey()]));
      for (const [provider, key] of keys) {
        secrets.add(key);
        const saved = await service.call(`/api/keys/${provider}`, { method: 'PUT', token, json: { key } });
        if (saved.status >= 300) throw new Error(`No key could be saved: ${saved.text}`);
      }
      return { sub, token, keys };
    },
    send: (target, parts = {}) =>
      sendRaw(port, requestBytes(target, parts), { isHead: parts.method === 'HEAD', ...parts }),
    async call(target, parts) {
      const { answers, isTimeout } = await service.send(target, parts);
      const [answer] = answers;
      if (answer === undefined) throw new Error(isTimeout ? 'No answer in time.' : 'No answer.');
      return answer;
    },
    async settle() {
      while (pending.size > 0) await Promise.all(pending);
    },
    recompose(env = {}) {
      app = compose(env);
      router = createRouter(async () => app, routes, app.basePath);
    },
    snapshot: () => snapshot(world),
    async close() {
      await closeServer(server);
      await service.settle();
      vi.restoreAllMocks();
      await world.close();
    },
  };
  return service;
}

export function tokenFor(
  world: World,
  sub: string,
  claims: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + 3_000;
  return world.issuer.sign(sub, { exp, aud: AUDIENCE, azp: AUTHORIZED_PARTY, ...claims });
}

/** A request as bytes. Nothing in it is checked or encoded. */
export function requestBytes(
  target: string,
  { method = 'GET', token, headers = [], json, body }: RequestParts,
): [Buffer] {
  const content = json === undefined ? body : JSON.stringify(json);
  const bytes = typeof content === 'string' ? Buffer.from(content) : (content ?? Buffer.alloc(0));
  const own: (readonly [string, string])[] = [];
  const has = (name: string) => headers.some(([other]) => other.toLowerCase().trim() === name);
  if (!has('host')) own.push(['Host', '127.0.0.1']);
  if (token !== undefined) own.push(['Authorization', `Bearer ${token}`]);
  if (json !== undefined && !has('content-type')) own.push(['Content-Type', 'application/json']);
  if (content !== undefined && !has('content-length') && !has('transfer-encoding')) {
    own.push(['Content-Length', String(bytes.length)]);
  }
  const lines = [...own, ...headers].map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return [Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`, 'utf8'), bytes])];
}

/** Counters, logs and marks change with every call; what a user has stored must not. */
const STORED = /(?:^|:)(?:keys|guards|onboarding)(?::|$)/;

async function snapshot(world: World): Promise<readonly string[]> {
  const store = createClient({ url: world.kv.url, token: world.kv.token, automaticDeserialization: false });
  const names: string[] = [];
  let cursor = '0';
  do {
    const [next, found] = await store.scan(cursor, { count: 1_000 });
    cursor = String(next);
    names.push(...found.filter((name) => STORED.test(name)));
  } while (cursor !== '0');
  const sorted = [...new Set(names)].sort();
  if (sorted.length === 0) return [];
  const pipeline = store.pipeline();
  for (const name of sorted) pipeline.hgetall(name);
  const contents = await pipeline.exec<unknown[]>();
  return sorted.map((name, index) => `${name} ${JSON.stringify(contents[index])}`);
}
