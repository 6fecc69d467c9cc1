import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { baseUrlVariable, configVariables } from '../../lib/config.ts';
import { providerIds } from '../../lib/providers/catalogue.ts';
import { credentialVariables } from '../../lib/providers/credential.ts';
import { readPrivateFile } from '../state/private-file.ts';

export type Variables = Readonly<Record<string, string>>;

/** The files configuration may stand in; the first that has a variable decides. */
export const ENV_FILES = ['.env.local', '.env'] as const;

/** What the functions are configured by. Provider keys are not among it. */
const CONFIGURATION: ReadonlySet<string> = new Set([
  'DEBUG',
  'DEPLOY_ENV',
  ...configVariables,
  ...providerIds.map(baseUrlVariable),
]);

/**
 * The configuration a developer has set: the environment first, then `.env.local`, then `.env` in `directory`.
 * Of the files only configuration is taken. Empty variables count as unset.
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
 * This process's environment without configuration and without any provider key: what the functions process is
 * started with, beside its configuration. A key that is in a developer's shell never gets there.
 */
export function inheritedEnvironment(): Variables {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !CONFIGURATION.has(name) && !credentialVariables.has(name)) kept[name] = value;
  }
  return kept;
}
