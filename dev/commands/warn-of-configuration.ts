import { ConfigError } from '../../lib/errors.ts';
import { loadConfig } from '../../lib/config.ts';
import type { Variables } from '../settings/configuration.ts';
import { printBad } from '../terminal/print.ts';

/** Says at once what every function would answer to every request: which variable is missing or malformed. */
export function warnOfConfiguration(env: Variables): void {
  try {
    loadConfig(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    printBad(`Not configured. ${error.message}`);
  }
}
