import { relative } from 'node:path';
import { decideMode } from '../../lib/config.ts';
import type { Variables } from '../settings/configuration.ts';
import { print } from '../terminal/print.ts';
import { caution, faint } from '../terminal/style.ts';

/** In local mode, which nobody has to ask for, keys do not stay in the store alone: that is said, with the way out. */
export function noteLocalMode(env: Variables, command: string): void {
  if (decideMode(env) !== 'local') return;
  const file = relative(process.cwd(), env.ENV_FILE ?? '.env');
  print(caution(`Local mode: saved keys also go to ${file}, in plain text, and serve whoever is signed in.`));
  print(
    faint(`DEPLOY_ENV=production npm run ${command} keeps users apart, and their keys in the store alone.`),
  );
  print();
}
