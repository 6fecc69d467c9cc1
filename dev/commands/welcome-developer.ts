import type { Parts } from '../parts/start-parts.ts';
import type { Variables } from '../settings/configuration.ts';
import { printAddresses, printCommands, printTitle } from '../terminal/print.ts';
import { noteLocalMode } from './note-local-mode.ts';
import { noteTakenPort } from './note-taken-port.ts';

/** The header of every call, for a shell. */
export const AUTHORIZED = '-H "Authorization: Bearer $TOKEN"';

/** What a developer sees first: where everything is, and commands to paste, in the order they make sense. */
export function welcomeDeveloper(shown: {
  readonly url: string;
  readonly wantedPort: number;
  readonly parts: Parts;
  readonly command: string;
  /** What the functions run with. */
  readonly env: Variables;
  readonly runsUnder: string;
}): void {
  const { command, env, url, wantedPort, parts, runsUnder } = shown;
  printTitle(command, 'Ctrl-C stops everything; what is stored stays');
  noteTakenPort(url, wantedPort);
  printAddresses([
    { name: 'Page', url: `${url}/`, note: 'save keys and see them, in a browser' },
    { name: 'Functions', url, note: runsUnder },
    { name: 'Key store', ...parts.keyStore },
    { name: 'Issuer', ...parts.issuer },
  ]);
  noteLocalMode(env, command);
  printCommands('Try it', [
    tokenCommand(parts.tokenUrl),
    [
      'store your OpenAI key: type or paste it after this line, it is not shown',
      `read -rs KEY; curl -sw '\\n' -X PUT ${url}/api/keys/openai ${AUTHORIZED} -d "{\\"key\\":\\"$KEY\\"}"`,
    ],
    ['which keys are stored', `curl -sw '\\n' ${url}/api/keys ${AUTHORIZED}`],
    ['call OpenAI, paid by that key', `curl -sw '\\n' ${url}/api/proxy/openai/v1/models ${AUTHORIZED}`],
  ]);
}

/** How to get a token into `$TOKEN`. */
export function tokenCommand(tokenUrl: string | undefined, user = 'alice'): readonly [string, string] {
  return tokenUrl === undefined
    ? ['a session token of your issuer: paste it after this line, it is not shown', 'read -rs TOKEN']
    : [`a token for ${user}, good for ten minutes`, `TOKEN=$(curl -s '${tokenUrl}?user=${user}')`];
}
