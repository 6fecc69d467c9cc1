/**
 * Local mode keeps a developer's keys in the `.env` file that their code reads too. This module is loaded only in local
 * mode; production never touches the file system.
 */
import { resolve } from 'node:path';
import { Problem } from '../errors.ts';
import { saveKeyBody } from '../keys/save-key-body.ts';
import { findProvider, type Provider, type ProviderId } from '../providers/catalogue.ts';
import { Secret } from '../secret.ts';
import { changeEnvFiles } from './change-env-files.ts';
import { readEnvFile, type VariableChanges } from './env-file.ts';
import { readVariables } from './env-text.ts';

export type LocalFiles = {
  /** Relative to the working directory. */
  readonly envFile: string;
  /** A second file and variable for keys that are made for the browser. */
  readonly frontend: { readonly envFile: string; readonly variable: string } | undefined;
};

export type LocalKeys = {
  /** The keys of these providers that `.env` holds now. */
  read(providers: readonly ProviderId[]): Promise<ReadonlyMap<ProviderId, Secret>>;
  /**
   * Runs `store` and writes the key to the files. A key that cannot be written without quotes is stored only in KV
   * (`kv-only`). The files are read first, so the former key is then removed from them.
   *
   * @throws Problem `env_file_refused`, `env_file_busy`, and whatever `store` throws. Nothing was stored or written.
   */
  save<T>(
    provider: Provider,
    key: Secret,
    store: () => Promise<T>,
  ): Promise<{ readonly stored: T; readonly envFile: 'written' | 'kv-only' }>;
  /** Runs `store` and removes every key of these providers from the files. Throws as `save` does. */
  remove<T>(providers: readonly ProviderId[], store: () => Promise<T>): Promise<T>;
};

/** Values that dotenv, Node, Vercel and every shell read the same way without quotes. */
const WRITABLE = /^[A-Za-z0-9._+/=:@%,-]+$/;

export function createLocalKeys(files: LocalFiles): LocalKeys {
  const envFile = resolve(files.envFile);

  /** The changes to each file that set or remove one provider's key. */
  const changesFor = (provider: Provider, value: string | undefined): [path: string, VariableChanges][] => {
    const [first, ...others] = provider.variables;
    const envChanges: VariableChanges = new Map(
      value === undefined ? [first, ...others].map((name) => [name, undefined]) : [[first, value]],
    );
    const { frontend } = files;
    if (frontend === undefined || !provider.publishable) return [[envFile, envChanges]];
    return [
      [envFile, envChanges],
      [resolve(frontend.envFile), new Map([[frontend.variable, value]])],
    ];
  };

  const change = async <T>(changes: readonly [path: string, VariableChanges][], store: () => Promise<T>) => {
    const byPath = new Map<string, VariableChanges>();
    for (const [path, more] of changes) byPath.set(path, new Map([...(byPath.get(path) ?? []), ...more]));
    return changeEnvFiles(byPath, store);
  };

  return {
    async read(providers) {
      const variables = readVariables(await readText(envFile));
      const found = providers.flatMap((id) => {
        const names = findProvider(id)?.variables ?? [];
        const key = names.map((name) => parseKey(variables.get(name))).find((value) => value !== undefined);
        return key === undefined ? [] : [[id, new Secret(key)] as const];
      });
      return new Map(found);
    },

    async save(provider, key, store) {
      const writable = WRITABLE.test(key.reveal()) && (await readEnvFile(envFile)).usable;
      const changes = changesFor(provider, writable ? key.reveal() : undefined);
      const stored = await change(changes, store);
      return { stored, envFile: writable ? 'written' : 'kv-only' };
    },

    async remove(providers, store) {
      const changes = providers.flatMap((id) => {
        const provider = findProvider(id);
        return provider === undefined ? [] : changesFor(provider, undefined);
      });
      return change(changes, store);
    },
  };
}

async function readText(envFile: string): Promise<string> {
  try {
    return (await readEnvFile(envFile)).text ?? '';
  } catch {
    throw new Problem('not_configured', { detail: 'ENV_FILE: cannot be read.' });
  }
}

/** The value if it could be sent as a key, or else undefined. */
function parseKey(value: string | undefined): string | undefined {
  return saveKeyBody.safeParse({ key: value }).data?.key;
}
