/** The one header that carries the key to a provider. */
import type { Secret } from '../secret.ts';
import type { Provider } from './catalogue.ts';

const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** What of a caller's request decides where the key goes. */
export type CallerSlot = {
  readonly headers: Headers;
  /** The header the caller's token came in. */
  readonly tokenHeader: string | undefined;
};

/**
 * Name and value of the header. A key travels in no other place: not in a query, not in a body. A provider that
 * has changed slots between versions of its API is sent the one that the caller's version and slot go with.
 */
export function credentialHeader(
  provider: Provider,
  key: Secret,
  caller?: CallerSlot,
): readonly [name: string, value: string] {
  const { header, scheme } = caller && speaksBearer(provider, caller) ? BEARER_SLOT : provider.credential;
  return [header, scheme === undefined ? key.reveal() : `${scheme} ${key.reveal()}`];
}

const BEARER_SLOT: Provider['credential'] = { header: 'authorization', scheme: 'Bearer' };

function speaksBearer({ bearerSince }: Provider, { headers, tokenHeader }: CallerSlot): boolean {
  if (bearerSince === undefined || tokenHeader !== BEARER_SLOT.header) return false;
  const version = headers.get(bearerSince.header) ?? '';
  return DATE.test(version) && version >= bearerSince.version;
}
