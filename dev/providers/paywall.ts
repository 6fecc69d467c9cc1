import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Mountable } from '@copilotkit/aimock';
import { findProvider, type ProviderId } from '../../lib/providers/catalogue.ts';
import { hintOf, type IssuedKeys } from './issued-keys.ts';

/** Every header in which some provider expects its key. A call must carry exactly one of them. */
const CREDENTIAL_HEADERS = ['authorization', 'x-api-key', 'x-goog-api-key', 'xi-api-key', 'api-key'];

/** One call that was paid for. */
export type Payment = {
  readonly provider: ProviderId;
  /** Whose key it was. */
  readonly owner: string;
  readonly hint: string;
  /** The id of the request in aimock's journal. */
  readonly requestId: string;
};

export type Paywall = {
  /** Goes in front of an emulated provider: checks the key of every request, and refuses requests without one. */
  readonly mountable: Mountable;
  readonly payments: readonly Payment[];
};

/** Answers a paid request and gives true; false leaves it to the emulated provider. */
export type PaywallHandler = (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  payment: Payment,
) => Promise<boolean>;

/**
 * Checks the key of each request to an emulated provider. A request with no key, with two, or with one that this
 * provider did not issue is refused as the provider would refuse it. For every other request it records whose key
 * paid. The request that only checks a key is answered here, and is not a payment.
 */
export function createPaywall(provider: ProviderId, keys: IssuedKeys, handlePaid: PaywallHandler): Paywall {
  const payments: Payment[] = [];

  async function handleRequest(incoming: IncomingMessage, outgoing: ServerResponse): Promise<boolean> {
    const key = credentialOf(provider, incoming);
    const owner = key === undefined ? undefined : keys.ownerOf(provider, key);
    if (key === undefined || owner === undefined) return refuse(provider, outgoing);
    if (incoming.url === findProvider(provider)?.check.path) return answer(outgoing, 200, { data: [] });
    const payment = {
      provider,
      owner,
      hint: hintOf(key),
      requestId: String(incoming.headers['x-request-id']),
    };
    payments.push(payment);
    return handlePaid(incoming, outgoing, payment);
  }
  return { mountable: { handleRequest }, payments };
}

function credentialOf(provider: ProviderId, { headers }: IncomingMessage): string | undefined {
  const expected = findProvider(provider)?.credential;
  const [name, ...others] = CREDENTIAL_HEADERS.filter((header) => headers[header] !== undefined);
  if (name === undefined || name !== expected?.header || others.length > 0) return undefined;
  const value = String(headers[name]);
  if (expected.scheme === undefined) return value;
  return value.startsWith(`${expected.scheme} `) ? value.slice(expected.scheme.length + 1) : undefined;
}

function refuse(provider: ProviderId, outgoing: ServerResponse): true {
  if (provider !== 'gemini') return answer(outgoing, 401, { error: { code: 'invalid_api_key' } });
  const details = [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' }];
  return answer(outgoing, 400, { error: { code: 400, status: 'INVALID_ARGUMENT', details } });
}

export function answer(outgoing: ServerResponse, status: number, body: unknown): true {
  outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  return true;
}
