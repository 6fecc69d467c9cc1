/**
 * Local mode: a developer's keys, in the `.env` file their code reads too. Loaded in local mode alone; production
 * has none of this, nor of the file system.
 */
import { resolve } from 'node:path';
import { Problem } from '../errors.ts';
import { saveKeyBody } from '../keys/save-key-body.ts';
import { findProvider, type Provider, type ProviderId } from '../providers/catalogue.ts';
import { Secret } from '../secret.ts';
import { changeEnvFiles } from './change-env-files.ts';
import { readEnvFile, type Wanted } from './env-file.ts';
import { readVariables } from './env-text.ts';

export type LocalFiles = {
  /** Relative to the working directory. */
  readonly envFile: string;
  /** Where a key made for the browser goes as well, and what it is called there. */
  readonly frontend: { readonly envFile: string; readonly variable: string } | undefined;
};

export type LocalKeys = {
  /** The keys of these providers that stand in `.env` at this moment. */
  read(providers: readonly ProviderId[]): Promise<ReadonlyMap<ProviderId, Secret>>;
  /**
   * Runs `store` and writes the key to the files. A key that cannot be written there is taken out of them, since
   * they are read first, and is then in the store alone: `kv-only`.
   *
   * @throws Problem `env_file_refused`, `env_file_busy`, and whatever `store` throws. Nothing was stored or written.
   */
  save<T>(
    provider: Provider,
    key: Secret,
    store: () => Promise<T>,
  ): Promise<{ readonly stored: T; readonly envFile: 'written' | 'kv-only' }>;
  /** Runs `store` and takes every key of these providers out of the files. Throws as `save` does. */
  remove<T>(providers: readonly ProviderId[], store: () => Promise<T>): Promise<T>;
};

/** What dotenv, Node, Vercel and every shell read the same, without quotes. */
const WRITABLE = /^[A-Za-z0-9._+/=:@%,-]+$/;

export function createLocalKeys(files: LocalFiles): LocalKeys {
  const envFile = resolve(files.envFile);

  /** What the files shall say about one provider. */
  const wantedFor = (provider: Provider, value: string | undefined): [path: string, Wanted][] => {
    const [first, ...others] = provider.variables;
    const main: Wanted = new Map(
      value === undefined ? [first, ...others].map((name) => [name, undefined]) : [[first, value]],
    );
    const { frontend } = files;
    if (frontend === undefined || !provider.publishable) return [[envFile, main]];
    return [
      [envFile, main],
      [resolve(frontend.envFile), new Map([[frontend.variable, value]])],
    ];
  };

  const change = async <T>(wanted: readonly [path: string, Wanted][], store: () => Promise<T>) => {
    const byPath = new Map<string, Wanted>();
    for (const [path, more] of wanted) byPath.set(path, new Map([...(byPath.get(path) ?? []), ...more]));
    return changeEnvFiles(byPath, store);
  };

  return {
    async read(providers) {
      const variables = readVariables(await readText(envFile));
      const found = providers.flatMap((id) => {
        const names = findProvider(id)?.variables ?? [];
        const key = names.map((name) => asKey(variables.get(name))).find((value) => value !== undefined);
        return key === undefined ? [] : [[id, new Secret(key)] as const];
      });
      return new Map(found);
    },

    async save(provider, key, store) {
      const writable = WRITABLE.test(key.reveal()) && (await readEnvFile(envFile)).usable;
      const wanted = wantedFor(provider, writable ? key.reveal() : undefined);
      const stored = await change(wanted, store);
      return { stored, envFile: writable ? 'written' : 'kv-only' };
    },

    async remove(providers, store) {
      const wanted = providers.flatMap((id) => {
        const provider = findProvider(id);
        return provider === undefined ? [] : wantedFor(provider, undefined);
      });
      return change(wanted, store);
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

/** A value that could be sent as a key; anything else in the file is none. */
function asKey(value: string | undefined): string | undefined {
  return saveKeyBody.safeParse({ key: value }).data?.key;
}
