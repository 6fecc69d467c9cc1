/** What `dev` and `vercel` print when they are ready. */

import { relative } from 'node:path';
import type { Parts } from '../../dev/parts/start-parts.ts';
import type { Variables } from '../../dev/settings/configuration.ts';
import { decideMode, loadConfig } from '../../lib/config.ts';
import { ConfigError } from '../../lib/errors.ts';
import { print, printAddresses, printBad, printCommands, printTitle } from '../terminal/print.ts';
import { caution, faint } from '../terminal/style.ts';

/** The header that the printed curl commands send. */
export const AUTHORIZATION_HEADER = '-H "Authorization: Bearer $TOKEN"';

/** Prints where everything is, and commands to paste, in the order in which they work. */
export function printWelcome(shown: {
  readonly url: string;
  readonly wantedPort: number;
  readonly parts: Parts;
  readonly command: string;
  /** The npm script that runs this command. */
  readonly npmScript: string;
  /** What the functions are configured with. */
  readonly env: Variables;
  readonly functionsNote: string;
}): void {
  const { command, npmScript, env, url, wantedPort, parts, functionsNote } = shown;
  printTitle(command, 'Ctrl-C stops everything; stored data is kept');
  printTakenPort(url, wantedPort);
  printAddresses([
    { name: 'Page', url: `${url}/`, note: 'save and see keys in a browser' },
    { name: 'Functions', url, note: functionsNote },
    { name: 'Key store', ...parts.keyStore },
    { name: 'Issuer', ...parts.issuer },
  ]);
  printLocalModeNote(env, npmScript);
  printCommands('Try it', [
    tokenCommand(parts.tokenUrl),
    [
      'save your OpenAI key: run this, then paste the key; it is not shown',
      `read -rs KEY; curl -sw '\\n' -X PUT ${url}/api/keys/openai ${AUTHORIZATION_HEADER} -d "{\\"key\\":\\"$KEY\\"}"`,
    ],
    ['list the stored keys', `curl -sw '\\n' ${url}/api/keys ${AUTHORIZATION_HEADER}`],
    [
      'call OpenAI, paid by that key',
      `curl -sw '\\n' ${url}/api/proxy/openai/v1/models ${AUTHORIZATION_HEADER}`,
    ],
  ]);
}

/** A command that puts a token into `$TOKEN`. */
export function tokenCommand(tokenUrl: string | undefined, user = 'alice'): readonly [string, string] {
  return tokenUrl === undefined
    ? ['a session token of your issuer: run this, then paste the token; it is not shown', 'read -rs TOKEN']
    : [`get a token for ${user}, valid for ten minutes`, `TOKEN=$(curl -s '${tokenUrl}?user=${user}')`];
}

/** Says so when the functions run on another port than the one that was asked for. */
export function printTakenPort(url: string, wantedPort: number): void {
  const { port } = new URL(url);
  if (wantedPort === 0 || Number(port) === wantedPort) return;
  print(caution(`Port ${wantedPort} is taken, so the functions are on ${port}.`));
  print();
}

/** Prints at once what every function would answer to every request: which variable is missing or malformed. */
export function printConfigurationErrors(env: Variables): void {
  try {
    loadConfig(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    printBad(`Not configured. ${error.message}`);
  }
}

/** Local mode is the default, so a developer has to be told that it writes keys to a file, and how to avoid it. */
function printLocalModeNote(env: Variables, npmScript: string): void {
  if (!isLocal(env)) return;
  const file = relative(process.cwd(), env.ENV_FILE ?? '.env');
  print(caution(`Local mode: saved keys also go to ${file}, in plain text, and all users share them.`));
  print(faint(`To keep users apart and keys in the store only: DEPLOY_ENV=production npm run ${npmScript}`));
  print();
}

function isLocal(env: Variables): boolean {
  try {
    return decideMode(env) === 'local';
  } catch {
    // `printConfigurationErrors` says what contradicts what.
    return false;
  }
}
