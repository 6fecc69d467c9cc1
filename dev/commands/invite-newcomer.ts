import { print, printAddresses, printCommands } from '../terminal/print.ts';
import { faint } from '../terminal/style.ts';
import { AUTHORIZED, tokenCommand } from './welcome-developer.ts';

/** What there is to try once the demo's story has been told. */
export function inviteNewcomer(url: string, tokenUrl: string): void {
  printAddresses([{ name: 'Page', url: `${url}/`, note: 'what alice and bob see, in a browser' }]);
  const chat = `-H 'Content-Type: application/json' -d '{"model":"gpt-5-mini","messages":[{"role":"user","content":"Hello"}]}'`;
  printCommands('Now you: paste these into another terminal', [
    tokenCommand(tokenUrl),
    [
      'her keys: the last four characters are all that ever comes back',
      `curl -sw '\\n' ${url}/api/keys ${AUTHORIZED}`,
    ],
    [
      'a call through the gateway',
      `curl -sw '\\n' ${url}/api/proxy/openai/v1/chat/completions ${AUTHORIZED} ${chat}`,
    ],
    [
      'a made-up key: the provider says no, and hers stays',
      `curl -sw '\\n' -X PUT ${url}/api/keys/openai ${AUTHORIZED} -d '{"key":"made-up"}'`,
    ],
    [
      'without her key there is no call',
      `curl -s -X DELETE ${url}/api/keys/gemini ${AUTHORIZED}; curl -sw '\\n' ${url}/api/generate ${AUTHORIZED} -d '{"provider":"gemini","prompt":"Hello"}'`,
    ],
  ]);
  print(faint('Ctrl-C ends the demo. Calls will be listed here, with who paid.'));
}
