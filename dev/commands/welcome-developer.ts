import type { Parts } from '../parts/start-parts.ts';
import { print, printAddresses, printCommands, printTitle } from '../terminal/print.ts';
import { caution } from '../terminal/style.ts';

/** The header of every call, for a shell. */
export const AUTHORIZED = '-H "Authorization: Bearer $TOKEN"';

/** What a developer sees first: where everything is, and commands to paste, in the order they make sense. */
export function welcomeDeveloper(shown: {
  readonly url: string;
  readonly wantedPort: number;
  readonly parts: Parts;
  readonly command: string;
  readonly runsUnder: string;
}): void {
  const { command, url, wantedPort, parts, runsUnder } = shown;
  printTitle(command, 'Ctrl-C stops everything; what is stored stays');
  if (wantedPort !== 0 && Number(new URL(url).port) !== wantedPort) {
    print(caution(`Port ${wantedPort} is taken, so the functions are on ${new URL(url).port}.`));
    print();
  }
  printAddresses([
    { name: 'Functions', url, note: runsUnder },
    { name: 'Key store', ...parts.keyStore },
    { name: 'Issuer', ...parts.issuer },
  ]);
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
