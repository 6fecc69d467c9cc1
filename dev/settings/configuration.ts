import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { baseUrlVariable, configVariables } from '../../lib/config.ts';
import { providerIds } from '../../lib/providers/catalogue.ts';
import { credentialVariables } from '../../lib/providers/credential.ts';
import { readPrivateFile } from '../state/private-file.ts';

export type Variables = Readonly<Record<string, string>>;

/** The files that configuration is read from. The first file that has a variable decides its value. */
export const ENV_FILES = ['.env.local', '.env'] as const;

/** The variables that configure the functions. Provider keys are not among them. */
const CONFIGURATION: ReadonlySet<string> = new Set([
  'DEBUG',
  'DEPLOY_ENV',
  ...configVariables,
  ...providerIds.map(baseUrlVariable),
]);

/**
 * The configuration a developer has set: the environment first, then `.env.local`, then `.env` in `directory`.
 * Other variables of the files are ignored. Empty variables count as unset.
 */
export async function readConfiguration(directory: string): Promise<Variables> {
  const files = await Promise.all(ENV_FILES.map((name) => readPrivateFile(join(directory, name))));
  const layers = [process.env, ...files.map((text) => parseEnv(text ?? ''))];
  const found: Record<string, string> = {};
  for (const layer of layers.reverse()) {
    for (const [name, value] of Object.entries(layer)) {
      if (CONFIGURATION.has(name) && value) found[name] = value;
    }
  }
  return found;
}

/**
 * This process's environment without configuration and without provider keys. The functions process gets it in
 * addition to its configuration, so a provider key in a developer's shell never reaches the functions.
 */
export function inheritedEnvironment(): Variables {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !CONFIGURATION.has(name) && !credentialVariables.has(name)) kept[name] = value;
  }
  return kept;
}
