import { join } from 'node:path';
import { type Functions, type FunctionsEvent, startFunctions } from '../host/start-functions.ts';
import { watchSources } from '../host/watch-sources.ts';
import { onFreePort } from '../parts/on-free-port.ts';
import { startParts } from '../parts/start-parts.ts';
import { createStopList } from '../parts/stop-list.ts';
import {
  ENV_FILES,
  inheritedEnvironment,
  readConfiguration,
  type Variables,
} from '../settings/configuration.ts';
import { describeEvent } from '../terminal/describe-event.ts';
import { print } from '../terminal/print.ts';
import { stopRequested } from '../terminal/stop-signals.ts';
import { faint } from '../terminal/style.ts';
import type { CommandOptions } from './command-options.ts';
import { warnOfConfiguration } from './warn-of-configuration.ts';
import { welcomeDeveloper } from './welcome-developer.ts';

/**
 * `npm run dev`: starts what is not configured, runs the functions, and keeps both until it is told to stop.
 * Configuration is read from the environment and the `.env` files again whenever one of them changes; the
 * functions start again only when it is another one, not when a provider key was saved.
 */
export async function dev({ root, directory, dataDirectory, port }: CommandOptions): Promise<number> {
  const stops = createStopList();
  const kill: { functions?: Functions } = {};
  const stopping = stopRequested(() => kill.functions?.kill());
  try {
    let configured = await readConfiguration(directory);
    let url = '';
    const parts = await startParts({ configured, dataDirectory, port, functionsUrl: () => url }, stops);
    const environment = (): Variables => ({ ...inheritedEnvironment(), ...parts.env, ...configured });

    const functions = await onFreePort(port, (free) =>
      startFunctions({ root, port: free, env: environment(), onEvent: printEvent }),
    );
    url = functions.url;
    kill.functions = functions;
    stops.add(() => functions.close());

    const sources = watchSources(
      {
        directories: [join(root, 'api'), join(root, 'lib')],
        files: [{ directory: root, names: ['vercel.json'] }],
      },
      () => void restart('the code changed'),
    );
    const envFiles = watchSources({ directories: [], files: [{ directory, names: ENV_FILES }] }, async () => {
      const former = JSON.stringify(environment());
      configured = await readConfiguration(directory);
      if (JSON.stringify(environment()) !== former) await restart('the configuration changed');
    });
    stops.add(() => sources.close());
    stops.add(() => envFiles.close());

    async function restart(reason: string): Promise<void> {
      warnOfConfiguration(environment());
      await functions.restart(environment());
      print(faint(`reloaded: ${reason}`));
    }

    welcomeDeveloper({
      command: 'dev',
      env: environment(),
      url,
      wantedPort: port,
      parts,
      runsUnder: 'reload when code or configuration changes',
    });
    print(faint('Calls will be listed here.'));
    warnOfConfiguration(environment());
    await stopping;
    print();
    print(faint('stopping …'));
  } finally {
    await stops.stopAll();
  }
  return 0;
}

function printEvent(event: FunctionsEvent): void {
  const text = describeEvent(event);
  if (text !== undefined) print(text);
}
