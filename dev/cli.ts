/** The developer's commands: `node dev/cli.ts dev | demo | vercel`. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { demo } from './commands/demo.ts';
import { dev } from './commands/dev.ts';
import { vercel } from './commands/vercel.ts';
import { explainUsage } from './terminal/explain-usage.ts';
import { print, printBad } from './terminal/print.ts';

const DEFAULT_PORT = 3000;
const MAX_PORT = 65_535;
const USAGE = `
  userkeys, on your machine

  npm run dev          the functions, with a key store and a token issuer where none is configured
  npm run demo         two users, emulated providers, and which key paid for each call
  npm run dev:vercel   like dev, with the functions under \`vercel dev\`

  After --, as in  npm run dev -- --port 4000
    --port <number>    of the functions (default ${DEFAULT_PORT}; the next free one if it is taken)
    --data <directory> where dev keeps its data (default .userkeys)
    --once             demo only: tell the story and leave
`;

process.exit(await main());

async function main(): Promise<number> {
  const given = readArguments();
  if ('complaint' in given) return explainUsage(USAGE, given.complaint);
  const { values, positionals } = given;
  const directory = process.cwd();
  const options = {
    root: resolve(import.meta.dirname, '..'),
    directory,
    dataDirectory: resolve(directory, values.data),
    port: values.port,
  };
  try {
    switch (positionals[0]) {
      case 'dev':
        return await dev(options);
      case 'demo':
        return await demo(options, values.once);
      case 'vercel':
        return await vercel(options);
      case undefined:
        print(USAGE);
        return 0;
      default:
        return explainUsage(USAGE, 'There is no such command.');
    }
  } catch (error) {
    print();
    printBad(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

/** The command line, or why it cannot be understood. */
function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        port: { type: 'string', default: String(DEFAULT_PORT) },
        data: { type: 'string', default: '.userkeys' },
        once: { type: 'boolean', default: false },
      },
    });
    const port = Number(values.port);
    if (!/^\d{1,5}$/.test(values.port) || port > MAX_PORT) {
      return { complaint: `--port takes a number from 0 to ${MAX_PORT}.` };
    }
    return { values: { ...values, port }, positionals };
  } catch (error) {
    // Node's own words, whose first sentence says it: Unknown option '--prot'.
    return { complaint: error instanceof Error ? error.message.replace(/\. .*/s, '.') : '' };
  }
}
