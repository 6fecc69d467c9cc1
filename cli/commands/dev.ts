import { join } from 'node:path';
import { type Functions, type FunctionsEvent, startFunctions } from '../../dev/host/start-functions.ts';
import { watchSources } from '../../dev/host/watch-sources.ts';
import { onFreePort } from '../../dev/parts/on-free-port.ts';
import { startParts } from '../../dev/parts/start-parts.ts';
import { createStopList } from '../../dev/parts/stop-list.ts';
import {
  ENV_FILES,
  inheritedEnvironment,
  readConfiguration,
  type Variables,
} from '../../dev/settings/configuration.ts';
import { EXIT } from '../exit-codes.ts';
import { moveLocalData } from '../migrate/move-local-data.ts';
import { describeEvent } from '../terminal/describe-event.ts';
import { print } from '../terminal/print.ts';
import { stopRequested } from '../terminal/stop-signals.ts';
import { faint } from '../terminal/style.ts';
import { printConfigurationErrors, printWelcome } from './print-welcome.ts';

export type DevOptions = {
  /** The project: where `api/` and `vercel.json` are. */
  readonly root: string;
  /** Where the command was started: where the `.env` files are. */
  readonly directory: string;
  /** Where the store, the master keys and the issuer's key are kept. */
  readonly dataDirectory: string;
  /** The port of the functions; the next free one if it is taken. 0: the system picks. */
  readonly port: number;
};

/**
 * Starts whatever is not configured, runs the functions, and stops everything on Ctrl-C. Reads the configuration
 * again when an `.env` file changes, and restarts the functions only if the configuration differs: saving a
 * provider key to `.env` does not restart them.
 */
export async function dev({ root, directory, dataDirectory, port }: DevOptions): Promise<number> {
  const stops = createStopList();
  const kill: { functions?: Functions } = {};
  const stopping = stopRequested(() => kill.functions?.kill());
  try {
    let configured = await readConfiguration(directory);
    let url = '';
    const parts = await startParts({ configured, dataDirectory, port, functionsUrl: () => url }, stops);
    const environment = (): Variables => ({ ...inheritedEnvironment(), ...parts.env, ...configured });
    await moveLocalData(parts, environment());

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
      const previous = JSON.stringify(environment());
      configured = await readConfiguration(directory);
      if (JSON.stringify(environment()) !== previous) await restart('the configuration changed');
    });
    stops.add(() => sources.close());
    stops.add(() => envFiles.close());

    async function restart(reason: string): Promise<void> {
      printConfigurationErrors(environment());
      await functions.restart(environment());
      print(faint(`reloaded: ${reason}`));
    }

    printWelcome({
      command: 'dev',
      npmScript: 'dev',
      env: environment(),
      url,
      wantedPort: port,
      parts,
      functionsNote: 'restart when code or configuration changes',
    });
    print(faint('Calls will be listed here.'));
    printConfigurationErrors(environment());
    await stopping;
    print();
    print(faint('stopping …'));
  } finally {
    await stops.stopAll();
  }
  return EXIT.success;
}

function printEvent(event: FunctionsEvent): void {
  const text = describeEvent(event);
  if (text !== undefined) print(text);
}
