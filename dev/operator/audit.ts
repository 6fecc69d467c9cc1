/** `npm run audit`: the log of one user, for an operator who looks into something. Reads only. */
import { parseArgs } from 'node:util';
import { type AuditEntry, auditFields } from '../../lib/audit/audit-entry.ts';
import { type AuditPage, readAudit } from '../../lib/audit/audit-log.ts';
import { isUserId, type UserId } from '../../lib/identity/user-id.ts';
import { explainUsage } from '../terminal/explain-usage.ts';
import { print, printTable } from '../terminal/print.ts';
import { bad, faint, good } from '../terminal/style.ts';
import { openVault } from './open-vault.ts';
import { runCommand } from './run-command.ts';

const DEFAULT_ENTRIES = 50;
const PAGE_ENTRIES = 500;
const USAGE = `
  npm run audit -- --user <sub>                     the newest entries of a user's log, as a table
    --last <number>                                 how many at most (default ${DEFAULT_ENTRIES})
    --json                                          one line of JSON an entry, and nothing else
`;

process.exit(await main());

async function main(): Promise<number> {
  const given = readArguments();
  if (given === undefined) return explainUsage(USAGE);
  const { user, last, asJson } = given;
  return runCommand(async () => {
    const entries = await readNewest(user, last);
    if (asJson) for (const entry of entries) process.stdout.write(`${JSON.stringify(entry)}\n`);
    else printEntries(entries);
    return 0;
  }, 'Run this again.');
}

async function readNewest(user: UserId, last: number): Promise<readonly AuditEntry[]> {
  const { kv, clock, auditBounds } = await openVault(process.cwd());
  const entries: AuditEntry[] = [];
  let cursor: string | undefined;
  do {
    const limit = Math.min(PAGE_ENTRIES, last - entries.length);
    const page: AuditPage = await kv.run(readAudit(user, { limit, cursor }, auditBounds, clock()));
    entries.push(...page.entries);
    cursor = page.nextCursor;
  } while (cursor !== undefined && entries.length < last);
  return entries;
}

function printEntries(entries: readonly AuditEntry[]): void {
  print();
  if (entries.length === 0) {
    print(faint('Nothing is in this log.'));
    return;
  }
  printTable(
    auditFields,
    entries.map((entry) =>
      auditFields.map((name) => {
        const text = String(entry[name] ?? '');
        if (name !== 'outcome') return text;
        return text === 'ok' ? good(text) : bad(text);
      }),
    ),
  );
}

/** The command line, or undefined when it cannot be understood. */
function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        user: { type: 'string' },
        last: { type: 'string', default: String(DEFAULT_ENTRIES) },
        json: { type: 'boolean', default: false },
      },
    });
    const { user, last, json: asJson } = values;
    if (!isUserId(user) || !/^[1-9]\d{0,4}$/.test(last)) return undefined;
    return { user, last: Number(last), asJson };
  } catch {
    return undefined;
  }
}
