/** What is compared: how each target is started, and what a call to it looks like. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildTargets } from './build-targets.ts';
import type { Destination } from './callers.ts';
import { type Program, startTarget, type Target } from './processes.ts';
import { KEY_PREFIX } from './provider.ts';
import type { Fixtures } from './start-fixtures.ts';

/** In the order of the tables. */
export const contenderNames = [
  'direct',
  'bare, fetch',
  'bare, undici',
  'by hand',
  'Portkey',
  'userkeys',
] as const;
export type ContenderName = (typeof contenderNames)[number];

export type Contender = {
  readonly name: ContenderName;
  /** Undefined for `direct`: the callers call the provider. */
  readonly program: Program | undefined;
  readonly destination: Omit<Destination, 'origin'>;
};

/** A contender whose process runs. */
export type Running = {
  readonly name: ContenderName;
  readonly target: Target | undefined;
  readonly destination: Destination;
};

const CHAT = '/v1/chat/completions';
export const GATEWAY_PATH = `/api/proxy/openai${CHAT}`;
const PORTKEY = fileURLToPath(new URL('portkey/', import.meta.url));
const PORTKEY_SERVER = `${PORTKEY}node_modules/@portkey-ai/gateway/build/start-server.js`;

export async function createContenders(
  { env, provider, tokens }: Fixtures,
  functionFile: string,
): Promise<readonly Contender[]> {
  if (!existsSync(PORTKEY_SERVER)) installPortkey();
  const files = await buildTargets(['bare', 'by-hand', 'portkey', 'userkeys']);
  const withToken = withTokens(tokens, GATEWAY_PATH);
  const withKey = (more: Readonly<Record<string, string>> = {}) => ({
    path: CHAT,
    headers: () => ({ authorization: `Bearer ${KEY_PREFIX}caller`, ...more }),
  });
  const node = (file: string, ...args: readonly string[]): Program => ({
    file,
    args: (port) => [...args, String(port)],
    env,
  });
  // What its build/start-server.js and its list of trusted hosts ask for.
  const portkey = withKey({ 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `${provider}/v1` });
  return [
    { name: 'direct', program: undefined, destination: withKey() },
    { name: 'bare, fetch', program: node(files.bare, 'fetch'), destination: withKey() },
    { name: 'bare, undici', program: node(files.bare, 'undici'), destination: withKey() },
    { name: 'by hand', program: node(files['by-hand']), destination: withToken },
    {
      name: 'Portkey',
      program: {
        file: files.portkey,
        args: (port) => [PORTKEY_SERVER, '--headless', `--port=${port}`],
        env: {},
        isQuiet: true,
      },
      destination: portkey,
    },
    { name: 'userkeys', program: node(files.userkeys, functionFile), destination: withToken },
  ];
}

/** Calls of one user after another. */
export function withTokens(tokens: readonly string[], path: string): Omit<Destination, 'origin'> {
  return {
    path,
    headers: (call) => ({ authorization: `Bearer ${tokens[call % tokens.length]}` }),
  };
}

/** Portkey has a package of its own, so that installing this project does not install it. */
function installPortkey(): void {
  console.log('Installing Portkey in bench/portkey …');
  execFileSync('npm', ['ci', '--ignore-scripts', '--prefix', PORTKEY], { stdio: 'inherit' });
}

export async function start({ name, program, destination }: Contender, provider: string): Promise<Running> {
  const target = program && (await startTarget(program));
  return { name, target, destination: { ...destination, origin: target?.origin ?? provider } };
}
