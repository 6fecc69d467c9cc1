/** The commands of docs/migrate.md, typed as they stand there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runMigrate } from './run-migrate.ts';

const text = readFileSync(join(import.meta.dirname, '../../../docs/migrate.md'), 'utf8');
const commands = Array.from(text.matchAll(/^npm run migrate -- (.+)$/gm), ([, args = '']) => args);

it.each(commands)('understands: %s', async (args) => {
  // 2 would be a command line that is not understood; without settings and database it can but fail.
  expect(await runMigrate(args.split(' '), {})).toMatchObject({ code: 1 });
});

it('has every reason that the migration can give', () => {
  const sources = ['plan-user', 'move-keys', 'move-sessions', 'migrate'].map((name) =>
    readFileSync(join(import.meta.dirname, `../../../cli/migrate/${name}.ts`), 'utf8'),
  );
  const failures = sources.flatMap((source) =>
    Array.from(
      source.matchAll(/(?:result: 'failed',\s+reason:|NOT_A_KEY =) '([^';:]+)/g),
      ([, reason = '']) => reason,
    ),
  );
  expect(failures.length).toBeGreaterThan(5);
  for (const reason of failures) expect(text).toContain(reason);
});
