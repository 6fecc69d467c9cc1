import { resolve } from 'node:path';
import { startParts } from '../parts/start-parts.ts';
import { createStopList } from '../parts/stop-list.ts';
import { readConfiguration, type Variables } from '../settings/configuration.ts';
import { describeLine } from '../terminal/describe-event.ts';
import { print } from '../terminal/print.ts';
import { stopRequested } from '../terminal/stop-signals.ts';
import { faint } from '../terminal/style.ts';
import { vercelCli } from '../vercel/cli.ts';
import { startVercelDev } from '../vercel/start-vercel-dev.ts';
import type { CommandOptions } from './command-options.ts';
import { warnOfConfiguration } from './warn-of-configuration.ts';
import { welcomeDeveloper } from './welcome-developer.ts';

/** `npm run dev:vercel`: what `npm run dev` starts, with the functions under `vercel dev --local`. */
export async function vercel({ directory, dataDirectory, port }: CommandOptions): Promise<number> {
  const stops = createStopList();
  // What the CLI has started ends with this process.
  const stopping = stopRequested(() => {});
  try {
    // The first run installs the CLI, which takes a while.
    await vercelCli((line) => print(faint(line)));
    const configured = await readConfiguration(directory);
    let url = '';
    const parts = await startParts({ configured, dataDirectory, port, functionsUrl: () => url }, stops);
    const env = { ...parts.env, ...configured, ...filesOf(directory, configured) };
    print();
    print(faint('starting vercel dev …'));
    let welcomed = false;
    const functions = await startVercelDev({
      port,
      env,
      onLog: (line) => {
        const text = welcomed ? describeLine(line) : undefined;
        if (text !== undefined) print(text);
      },
    });
    stops.add(() => functions.close());
    url = functions.url;
    welcomed = true;
    welcomeDeveloper({
      command: 'dev:vercel',
      env,
      url,
      wantedPort: port,
      parts,
      runsUnder: 'vercel dev: every call is a new process, with the code as it is then',
    });
    warnOfConfiguration(env);
    await stopping;
    print();
    print(faint('stopping …'));
  } finally {
    await stops.stopAll();
  }
  return 0;
}

/** The files that local mode writes keys to, in full: the functions run in another directory there. */
function filesOf(directory: string, configured: Variables): Variables {
  const frontend = configured.FRONTEND_ENV_FILE;
  return {
    ENV_FILE: resolve(directory, configured.ENV_FILE ?? '.env'),
    ...(frontend === undefined ? {} : { FRONTEND_ENV_FILE: resolve(directory, frontend) }),
  };
}
