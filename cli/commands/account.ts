import { isCancel, text } from '@clack/prompts';
import { z } from 'zod';
import { allUserData, eraseUser, exportUser } from '../../lib/account/account-data.ts';
import { subjectOf, type UserId } from '../../lib/identity/user-id.ts';
import { globalKey, LEGACY_PREFIX, ownerKey } from '../../lib/kv/key-names.ts';
import type { Kv } from '../../lib/kv/kv.ts';
import { count, type Query, query } from '../../lib/kv/query.ts';
import { type Deployment, findUser, openDeployment } from '../deployment.ts';
import { EXIT } from '../exit-codes.ts';
import { runOperatorCommand } from '../operator-command.ts';
import { print, printBad, printError, printGood } from '../terminal/print.ts';

const SCAN_COUNT = 1_000;
const SCAN_START = '0';

/** Prints everything that is stored about a user, except the keys, as JSON. */
export async function exportAccount(sub: string): Promise<number> {
  return runOperatorCommand(async () => {
    const deployment = await openDeployment(process.cwd());
    const { kv, clock } = deployment;
    const user = await findUser(deployment, sub);
    process.stdout.write(`${JSON.stringify(await exportUser(kv, user, clock()), null, 2)}\n`);
    return EXIT.success;
  });
}

/** Erases everything that is stored about a user, then searches the whole store for KV keys that name the user. */
export async function eraseAccount(sub: string, yes = false): Promise<number> {
  return runOperatorCommand(async () => {
    const deployment = await openDeployment(process.cwd());
    const user = await findUser(deployment, sub);
    if (yes || (await confirmErasure(user, deployment.storeHost))) return erase(deployment, user);
    printError('Nothing was erased.');
    return EXIT.failed;
  });
}

async function erase({ kv, clock, storeHost }: Deployment, user: UserId): Promise<number> {
  const stored = await kv.run(countStored(user, clock()));
  // Also when nothing is stored: a save that is still running must not store anything afterwards.
  await eraseUser(kv, user, clock());
  const traces = await findTraces(kv, user);
  if (traces.length > 0) {
    printBad(`Erased, but these KV keys still name the user: ${traces.join(', ')}`);
    return EXIT.failed;
  }
  if (stored === 0) {
    print(`Nothing was stored for this id on ${storeHost}. Use the sub of the user’s session token.`);
    return EXIT.success;
  }
  printGood(`Everything about the user is erased from ${storeHost}; no KV key names the user.`);
  return EXIT.success;
}

/** Asks for the user's id again. Without a terminal nothing is asked and the answer is no. */
async function confirmErasure(user: UserId, storeHost: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    printError('There is no terminal to ask for confirmation. Add --yes to erase without it.');
    return false;
  }
  const message = `Type the user’s id to erase everything about them from ${storeHost}`;
  const answer = await text({ message, output: process.stderr, withGuide: false });
  return !isCancel(answer) && answer === subjectOf(user);
}

/** How many KV keys hold something about the user. */
function countStored(user: UserId, now: Date): Query<number> {
  const keys = allUserData.flatMap((part) => part.kvKeys(user, now));
  return query(
    (pipeline) => pipeline.exists(...keys),
    z.tuple([count]).transform(([existing]) => existing),
  );
}

/**
 * The KV keys that name the user, also those with names of earlier versions: `userkeys:<kind>:<sub>`, with or without a
 * number or a date in between. Looks at every key of the store, so it is too slow for a function.
 */
async function findTraces(kv: Kv, user: UserId): Promise<readonly string[]> {
  const found: string[] = [];
  for (const prefix of [globalKey(''), LEGACY_PREFIX]) {
    let cursor = SCAN_START;
    do {
      const [[next, keys]] = await kv.run(scanPage(cursor, prefix));
      found.push(...keys.filter((key) => namesUser(key, user)));
      cursor = next;
    } while (cursor !== SCAN_START);
  }
  return found;
}

function namesUser(key: string, user: UserId): boolean {
  // The mark of the erasure, which ends by itself.
  if (key === ownerKey(user, 'erased')) return false;
  if (key.startsWith(ownerKey(user, ''))) return true;
  const end = `:${subjectOf(user)}`;
  return key.endsWith(end) && LEGACY_START.test(key.slice(0, -end.length));
}

const LEGACY_START = /^userkeys:[a-z-]+(:[0-9-]+)?$/;

/** The next cursor, and the keys of the page. */
const scanAnswer = z.tuple([z.tuple([z.string().regex(/^\d{1,20}$/), z.array(z.string())])]);

function scanPage(cursor: string, prefix: string): Query<z.infer<typeof scanAnswer>> {
  return query((pipeline) => pipeline.scan(cursor, { match: `${prefix}*`, count: SCAN_COUNT }), scanAnswer);
}
