import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { findProvider, type ProviderId } from '../../lib/providers/catalogue.ts';

/** One request that reached an emulated provider. */
export type RecordedCall = {
  readonly provider: ProviderId;
  readonly method: string;
  /** The raw request target: path and query as received. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values alternately, as received, including duplicates. */
  readonly rawHeaders: readonly string[];
  /** The key that the provider would charge: the value of its credential header, without the scheme. */
  readonly credential: string | undefined;
  /** The body so far; complete once `received` has resolved. */
  body(): Buffer;
  json(): unknown;
  readonly received: Promise<void>;
  /** Resolves when the caller closes the connection before the answer is complete. */
  readonly left: Promise<void>;
  hasLeft(): boolean;
};

export function recordCall(
  provider: ProviderId,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): RecordedCall {
  const chunks: Buffer[] = [];
  let gone = false;
  const body = () => Buffer.concat(chunks);
  return {
    provider,
    method: incoming.method ?? '',
    target: incoming.url ?? '',
    headers: incoming.headers,
    rawHeaders: incoming.rawHeaders,
    credential: credentialOf(provider, incoming.headers),
    body,
    json: () => JSON.parse(body().toString()),
    received: new Promise((resolve) => {
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', resolve);
      incoming.on('error', () => resolve());
    }),
    left: new Promise((resolve) => {
      outgoing.on('close', () => {
        if (outgoing.writableFinished) return;
        gone = true;
        resolve();
      });
    }),
    hasLeft: () => gone,
  };
}

function credentialOf(provider: ProviderId, headers: IncomingHttpHeaders): string | undefined {
  const { credential, bearerSince } = findProvider(provider) ?? {};
  if (credential === undefined) return undefined;
  const value = headers[credential.header] ?? (bearerSince && headers.authorization);
  return typeof value === 'string' ? value.replace(/^Bearer /, '') : undefined;
}
