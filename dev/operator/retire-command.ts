import { reinstateKid, retireKid } from '../../lib/vault/retired-kids.ts';
import { printBad, printGood } from '../terminal/print.ts';
import type { Vault } from './open-vault.ts';

/** From now on the store refuses records under that key. False when it is the one that seals: nothing was done. */
export async function retire({ kv, ring }: Vault, kid: string): Promise<boolean> {
  if (kid === ring.currentKid) {
    printBad(`${kid} is the key that seals. Put another one first in VAULT_KEYS and deploy that.`);
    return false;
  }
  if (!ring.kids.has(kid)) {
    printBad(`${kid} is not in VAULT_KEYS. Put it back, so that what it still seals can be sealed anew.`);
    return false;
  }
  await kv.run(retireKid(kid));
  printGood(`${kid} is retired: the store takes no record under it any more, from whichever deployment.`);
  return true;
}

export async function reinstate({ kv }: Vault, kid: string): Promise<number> {
  await kv.run(reinstateKid(kid));
  printGood(`${kid} may seal again.`);
  return 0;
}
