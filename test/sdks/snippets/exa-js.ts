import { Exa } from 'exa-js';
import type { Session } from '../harness/stage.ts';

export async function exa({ gateway, getToken }: Session) {
  const client = new Exa(await getToken(), `${gateway}/exa`);
  const answer = await client.search('Hello', { numResults: 1 });
  return { client, answer };
}
