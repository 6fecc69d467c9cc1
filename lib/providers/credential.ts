/** The one header that carries the key to a provider. */
import type { Secret } from '../secret.ts';
import type { Provider } from './catalogue.ts';

/** Name and value of the header. A key travels in no other place: not in a query, not in a body. */
export function credentialHeader(provider: Provider, key: Secret): readonly [name: string, value: string] {
  const { header, scheme } = provider.credential;
  return [header, scheme === undefined ? key.reveal() : `${scheme} ${key.reveal()}`];
}
