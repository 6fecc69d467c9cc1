/**
 * Everything the conformance suite runs on: KV, issuer and recording providers, the gateway in a process of its
 * own as a real HTTP server, and a tap in front of it. The SDKs run unmodified in this process.
 */
import { fileURLToPath } from 'node:url';
import { LLMock } from '@copilotkit/aimock';
import { startFunctions } from '../../../dev/host/start-functions.ts';
import { LOOPBACK } from '../../../dev/http/listen.ts';
import { type ProviderId, providerIds } from '../../../lib/providers/catalogue.ts';
import { newProviderKey, startWorld, type World } from '../../support/start-world.ts';
import { startTap, type Tap } from './tap.ts';

/** What a snippet of docs/sdks.md is given: the gateway's address and the signed-in user's token. */
export type Session = {
  readonly gateway: string;
  /** A fresh session token, as an auth library gives it. */
  readonly getToken: () => Promise<string>;
  readonly messages: { role: 'user'; content: string }[];
};

export type Stage = {
  readonly world: World;
  readonly tap: Tap;
  /** A provider that speaks the protocols of most of these SDKs. */
  readonly aimock: LLMock;
  /** Where the gateway is for a caller, without a path. */
  readonly origin: string;
  readonly session: Session;
  /** Signs a new token; from now on it is what `getToken` gives. */
  renewToken(): Promise<string>;
  /** Every token there was. */
  readonly tokens: readonly string[];
  /** The user's own keys. */
  readonly keys: ReadonlyMap<ProviderId, string>;
  /** What the gateway's process has printed. */
  readonly printed: readonly string[];
  close(): Promise<void>;
};

/** What every text model on this stage says. */
export const HELLO = 'Hello from your own key';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

export async function startStage(env: Readonly<Record<string, string>> = {}): Promise<Stage> {
  const world = await startWorld({ applyEnv: false, env });
  const printed: string[] = [];
  const functions = await startFunctions({
    root: ROOT.replace(/\/$/, ''),
    env: world.env,
    onEvent: (event) => {
      if (event.type !== 'answered') printed.push(JSON.stringify(event));
    },
  });
  const tap = await startTap(functions.url);
  const aimock = new LLMock({ host: LOOPBACK, port: 0, logLevel: 'silent', chunkSize: 6 });
  aimock.onMessage(/.*/, { content: HELLO });
  await aimock.start();

  const tokens: string[] = [];
  const current = { token: '' };
  async function renewToken(): Promise<string> {
    current.token = await world.tokenFor('user_1', { jti: String(tokens.length), exp: in15Minutes() });
    tokens.push(current.token);
    return current.token;
  }
  await renewToken();
  const keys = new Map(providerIds.map((id) => [id, newProviderKey(`${id}-key-`)]));
  for (const [provider, key] of keys) await saveKey(tap.url, current.token, provider, key, printed);
  world.providers.reset();
  tap.exchanges.length = 0;

  return {
    world,
    tap,
    aimock,
    origin: tap.url,
    session: {
      gateway: `${tap.url}/api/proxy`,
      getToken: async () => current.token,
      messages: [{ role: 'user', content: 'Hello' }],
    },
    renewToken,
    tokens,
    keys,
    printed,
    async close() {
      await tap.close();
      await functions.close();
      await Promise.all([aimock.stop(), world.close()]);
    },
  };
}

async function saveKey(
  origin: string,
  token: string,
  provider: string,
  key: string,
  printed: readonly string[],
): Promise<void> {
  const response = await fetch(`${origin}/api/keys/${provider}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ key }),
  });
  if (response.status === 201) return;
  throw new Error([`${provider}: ${response.status} ${await response.text()}`, ...printed].join('\n'));
}

function in15Minutes(): number {
  return Math.floor(Date.now() / 1000) + 15 * 60;
}
