/** The old system on one machine: a `.env` whose provider variables are one user's keys. */
import { readFile, stat } from 'node:fs/promises';
import { parseEnv } from 'node:util';
import { catalogue } from '../../lib/providers/catalogue.ts';
import { Secret } from '../../lib/secret.ts';
import type { OldKey, Source } from './old-user.ts';

/**
 * The provider variables of a file as the keys of `user`, as old as the file. Of a provider's several variables
 * the first in the catalogue's order counts.
 *
 * @throws the file system's error when there is no such file.
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
