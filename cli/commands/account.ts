import { isCancel, text } from '@clack/prompts';
import { z } from 'zod';
import { allUserData, eraseUser, exportUser } from '../../lib/account/account-data.ts';
import type { UserId } from '../../lib/identity/user-id.ts';
import { callStart } from '../../lib/kv/erasure.ts';
import type { Kv } from '../../lib/kv/kv.ts';
import { count, type Query, query } from '../../lib/kv/query.ts';
import { type Deployment, openDeployment } from '../deployment.ts';
import { EXIT } from '../exit-codes.ts';
import { runOperatorCommand } from '../operator-command.ts';
import { print, printBad, printError, printGood } from '../terminal/print.ts';

const SCAN_COUNT = 1_000;
const SCAN_START = '0';

/** Prints everything that is stored about a user, except the keys, as JSON. */
export async function exportAccount(user: UserId): Promise<number> {
  return runOperatorCommand(async () => {
    const { kv, clock } = await openDeployment(process.cwd());
    process.stdout.write(`${JSON.stringify(await exportUser(kv, user, clock()), null, 2)}\n`);
    return EXIT.success;
  });
}

/** Erases everything that is stored about a user, then searches the whole store for KV keys that name the user. */
export async function eraseAccount(user: UserId, yes = false): Promise<number> {
  return runOperatorCommand(async () => {
    const deployment = await openDeployment(process.cwd());
    if (yes || (await confirmErasure(user, deployment.storeHost))) return erase(deployment, user);
    printError('Nothing was erased.');
    return EXIT.failed;
  });
}

async function erase({ kv, clock, storeHost }: Deployment, user: UserId): Promise<number> {
  const stored = await kv.run(countStored(user, clock()));
  // Also when nothing is stored: a save that is still running must not store anything afterwards.
  await eraseUser(kv, user, clock());
  // The mark of the erasure stays for a while.
  const { markKey } = callStart(user, clock());
  const traces = (await findTraces(kv, user)).filter((key) => key !== markKey);
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
  return !isCancel(answer) && answer === user;
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
 * The KV keys that name the user: `userkeys:<kind>:<user>`, with or without a number or a date in between. Looks at
 * every key of the store, so it is too slow for a function.
 */
async function findTraces(kv: Kv, user: UserId): Promise<readonly string[]> {
  const found: string[] = [];
  let cursor = SCAN_START;
  do {
    const [[next, keys]] = await kv.run(scanPage(cursor));
    found.push(...keys.filter((key) => namesUser(key, user)));
    cursor = next;
  } while (cursor !== SCAN_START);
  return found;
}

function namesUser(key: string, user: UserId): boolean {
  if (!key.endsWith(`:${user}`)) return false;
  return /^userkeys:[a-z-]+(:[0-9-]+)?$/.test(key.slice(0, -user.length - 1));
}

/** The next cursor, and the keys of the page. */
const scanAnswer = z.tuple([z.tuple([z.string().regex(/^\d{1,20}$/), z.array(z.string())])]);

function scanPage(cursor: string): Query<z.infer<typeof scanAnswer>> {
  return query((pipeline) => pipeline.scan(cursor, { match: 'userkeys:*', count: SCAN_COUNT }), scanAnswer);
}
