/**
 * What reading the environment costs, as it is and wrapped. Run it with `node bench/process-env.ts`; take the
 * ratios. A figure is the best of 40 short rounds, the one that other work on the machine disturbed least.
 */
import { installScopedEnvironment } from '../lib/process-env/scoped-environment.ts';
import { Secret } from '../lib/secret.ts';

const ROUNDS = 40;
const READS = 50_000;
const COPIES = 200;

process.env.ORDINARY = 'an ordinary value';
const readOrdinary = () => process.env.ORDINARY;
const readMissing = () => process.env.NOT_SET_ANYWHERE;
const readKey = () => process.env.OPENAI_API_KEY;
const copy = () => ({ ...process.env });

/** Nanoseconds for one call. */
function measure(times: number, code: () => unknown): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const start = process.hrtime.bigint();
    for (let count = 0; count < times; count += 1) code();
    return Number(process.hrtime.bigint() - start) / times;
  });
  return Math.min(...rounds);
}

function report(what: string, nanoseconds: number, bare: number): void {
  const ratio = `${(nanoseconds / bare).toFixed(2)}x`;
  console.log(`${what.padEnd(52)}${nanoseconds.toFixed(0).padStart(9)} ns${ratio.padStart(9)}`);
}

const bare = {
  ordinary: measure(READS, readOrdinary),
  missing: measure(READS, readMissing),
  copy: measure(COPIES, copy),
};
const environment = installScopedEnvironment();
const covered = new Set(['OPENAI_API_KEY']);
const keys = new Map([['OPENAI_API_KEY', new Secret('a key')]]);
const open = () => environment.open({ covered, keys });
const scope = open();

console.log(`Node ${process.version}, ${Object.keys(process.env).length} variables\n`);
report('an ordinary variable, unwrapped', bare.ordinary, bare.ordinary);
report('an ordinary variable, wrapped, outside a scope', measure(READS, readOrdinary), bare.ordinary);
scope.run(() =>
  report('an ordinary variable, wrapped, in a scope', measure(READS, readOrdinary), bare.ordinary),
);
scope.run(() => report('a key, in a scope', measure(READS, readKey), bare.ordinary));
console.log();
report('a variable that is not set, unwrapped', bare.missing, bare.missing);
scope.run(() => report('a variable that is not set, in a scope', measure(READS, readMissing), bare.missing));
console.log();
report('{...process.env}, unwrapped', bare.copy, bare.copy);
scope.run(() => report('{...process.env}, in a scope', measure(COPIES, copy), bare.copy));
console.log();
report(
  'opening a scope, a read in it, ending it',
  measure(READS / 10, () => {
    const own = open();
    own.run(readKey);
    own.end();
  }),
  bare.ordinary,
);
