/**
 * A separate process that changes an `.env` file: `node write-variables.ts <file> <prefix> <count>` sets that many
 * variables concurrently. With a count of 0 it takes the lock, prepares a change, prints a line and hangs.
 */
import { changeEnvFiles } from '../../lib/local/change-env-files.ts';

const [path = '', prefix = '', count = '0'] = process.argv.slice(2);

if (count === '0') {
  await changeEnvFiles(new Map([[path, new Map([[prefix, 'never']])]]), async () => {
    process.stdout.write('holding\n');
    return new Promise(() => setInterval(() => {}, 1_000));
  });
}
await Promise.all(
  Array.from({ length: Number(count) }, (_, index) => {
    const name = `${prefix}_${index}`;
    return changeEnvFiles(new Map([[path, new Map([[name, `value-of-${name}`]])]]), async () => {});
  }),
);
