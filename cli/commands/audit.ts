import { stripVTControlCharacters } from 'node:util';
import { type AuditEntry, auditFields } from '../../lib/audit/audit-entry.ts';
import { type AuditPage, readAudit } from '../../lib/audit/read-audit.ts';
import { findUser, openDeployment } from '../deployment.ts';
import { EXIT } from '../exit-codes.ts';
import { runOperatorCommand } from '../operator-command.ts';
import { print, printTable } from '../terminal/print.ts';
import { bad, faint, good } from '../terminal/style.ts';

const PAGE_ENTRIES = 500;

/** Prints the newest `last` entries of a user's audit log, as a table or as one JSON object per line. */
export async function audit({
  user: sub,
  last,
  json = false,
}: {
  /** The `sub`. */
  readonly user: string;
  readonly last: number;
  readonly json?: boolean | undefined;
}): Promise<number> {
  return runOperatorCommand(async () => {
    const entries = await readNewest(sub, last);
    if (json) for (const entry of entries) process.stdout.write(`${JSON.stringify(entry)}\n`);
    else printEntries(entries);
    return EXIT.success;
  });
}

async function readNewest(sub: string, last: number): Promise<readonly AuditEntry[]> {
  const deployment = await openDeployment(process.cwd());
  const { kv, clock, auditBounds } = deployment;
  const user = await findUser(deployment, sub);
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
    print(faint('This log is empty.'));
    return;
  }
  printTable(
    auditFields,
    entries.map((entry) =>
      auditFields.map((name) => {
        const text = stripVTControlCharacters(String(entry[name] ?? ''));
        if (name !== 'outcome') return text;
        return text === 'ok' ? good(text) : bad(text);
      }),
    ),
  );
}
