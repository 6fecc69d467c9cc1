/** What the old system knows about its users, and the simplest old system: an `.env` file on one machine. */
import { readFile, stat } from 'node:fs/promises';
import { parseEnv } from 'node:util';
import { catalogue } from '../../lib/providers/catalogue.ts';
import { Secret } from '../../lib/secret.ts';

export type OldKey = {
  /** As the old system wrote it: an id, a name or an environment variable. */
  readonly provider: string;
  readonly key: Secret;
  readonly createdAt: Date | undefined;
  readonly updatedAt: Date | undefined;
};

export type OldSession = {
  readonly currentStep: string | undefined;
  /** 0 to 1, or 0 to 100. */
  readonly progress: number | undefined;
  readonly startedAt: Date | undefined;
  readonly completedAt: Date | undefined;
};

export type OldUser = {
  /** Undefined when the old system has keys without an owner. */
  readonly user: string | undefined;
  readonly keys: readonly OldKey[];
  readonly sessions: readonly OldSession[];
};

export type Source = {
  /** How many users `users` yields. */
  countUsers(): Promise<number>;
  users(): AsyncIterable<OldUser>;
  close(): Promise<void>;
};

/**
 * The provider variables of a file as the keys of `user`, dated by the file's modification time. When a provider has
 * several variables, the first one in the catalogue's order is used.
 *
 * @throws the file system's error when the file cannot be read.
 */
export async function readEnvFile(file: string, user: string): Promise<Source> {
  const [text, { mtime }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
  const variables = new Map(Object.entries(parseEnv(text)));
  const keys = catalogue.flatMap(({ variables: names }): readonly OldKey[] => {
    const provider = names.find((name) => variables.get(name)?.trim());
    if (provider === undefined) return [];
    const key = new Secret(variables.get(provider) ?? '');
    return [{ provider, key, createdAt: mtime, updatedAt: mtime }];
  });
  return {
    countUsers: async () => 1,
    async *users() {
      yield { user, keys, sessions: [] };
    },
    close: async () => {},
  };
}
