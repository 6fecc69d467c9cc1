/** What must hold on the wire, whatever the SDK and the case. */
import { expect } from 'vitest';
import type { RecordedCall } from '../../support/recorded-call.ts';
import type { Stage } from './stage.ts';

/** Every header in which some provider takes a credential. */
const CREDENTIAL_HEADERS = [
  ...[
    'authorization',
    'x-api-key',
    'x-goog-api-key',
    'xi-api-key',
    'api-key',
    'x-copilotcloud-public-api-key',
  ],
  ...['cookie', 'proxy-authorization', 'openai-organization', 'openai-project'],
];

/**
 * No part of a token has reached a provider, each call carries the user's key and no other credential, and no
 * key has come back to the caller or got into what the gateway prints.
 */
export function expectCleanWire(stage: Stage): void {
  for (const call of stage.world.calls) {
    const sent = Buffer.concat([Buffer.from(`${call.target}\n${call.rawHeaders.join('\n')}\n`), call.body()]);
    for (const part of tokenParts(stage)) {
      expect(sent.includes(part), `a token’s part reached ${call.provider}: ${call.target}`).toBe(false);
    }
    expect(call.credential, `${call.provider}: ${call.target}`).toBe(stage.keys.get(call.provider));
    expect(credentialsIn(call), `${call.provider}: ${call.target}`).toHaveLength(1);
    expect(call.target).not.toContain(stage.keys.get(call.provider));
  }
  for (const exchange of stage.tap.exchanges) {
    const received = Buffer.concat([
      Buffer.from(`${exchange.answerHeaders.join('\n')}\n`),
      exchange.answerBody(),
    ]);
    for (const [provider, key] of stage.keys) {
      expect(received.includes(key), `the ${provider} key came down: ${exchange.target}`).toBe(false);
    }
  }
  const printed = stage.printed.join('\n');
  for (const secret of [...stage.keys.values(), ...tokenParts(stage)]) expect(printed).not.toContain(secret);
}

function credentialsIn({ headers }: RecordedCall): readonly string[] {
  return CREDENTIAL_HEADERS.filter((name) => headers[name] !== undefined);
}

/** The header of all tokens is public knowledge, but even that has no business there. */
function tokenParts(stage: Stage): readonly string[] {
  return [...new Set(stage.tokens.flatMap((token) => token.split('.')))];
}
