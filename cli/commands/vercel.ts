import { resolve } from 'node:path';
import { startParts } from '../../dev/parts/start-parts.ts';
import { createStopList } from '../../dev/parts/stop-list.ts';
import { readConfiguration, type Variables } from '../../dev/settings/configuration.ts';
import { vercelCli } from '../../dev/vercel/cli.ts';
import { startVercelDev } from '../../dev/vercel/start-vercel-dev.ts';
import { EXIT } from '../exit-codes.ts';
import { moveLocalData } from '../migrate/move-local-data.ts';
import { describeLine } from '../terminal/describe-event.ts';
import { print } from '../terminal/print.ts';
import { stopRequested } from '../terminal/stop-signals.ts';
import { faint } from '../terminal/style.ts';
import type { DevOptions } from './dev.ts';
import { printConfigurationErrors, printWelcome } from './print-welcome.ts';

/** Like `dev`, but the functions run under `vercel dev --local`. */
export async function vercel({ directory, dataDirectory, port }: DevOptions): Promise<number> {
  const stops = createStopList();
  // The processes that the Vercel CLI started end with this one.
  const stopping = stopRequested(() => {});
  try {
    // The first run installs the CLI, which takes a while.
    await vercelCli((line) => print(faint(line)));
    const configured = await readConfiguration(directory);
    let url = '';
    const parts = await startParts({ configured, dataDirectory, port, functionsUrl: () => url }, stops);
    const env = { ...parts.env, ...configured, ...keyFiles(directory, configured) };
    await moveLocalData(parts, env);
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
    printWelcome({
      command: 'vercel',
      npmScript: 'dev:vercel',
      env,
      url,
      wantedPort: port,
      parts,
      functionsNote: 'under vercel dev: each call is a new process with the current code',
    });
    printConfigurationErrors(env);
    await stopping;
    print();
    print(faint('stopping …'));
  } finally {
    await stops.stopAll();
  }
  return EXIT.success;
}

/** The files that local mode writes keys to, as absolute paths: under `vercel dev` the functions run elsewhere. */
function keyFiles(directory: string, configured: Variables): Variables {
  const frontend = configured.FRONTEND_ENV_FILE;
  return {
    ENV_FILE: resolve(directory, configured.ENV_FILE ?? '.env'),
    ...(frontend === undefined ? {} : { FRONTEND_ENV_FILE: resolve(directory, frontend) }),
  };
}
