/** A PostgreSQL of the test's own: Debian's server on a private directory and socket, gone afterwards. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chownSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';

export type RunningPostgres = { readonly url: string; readonly client: Client; close(): Promise<void> };

/** The directory of `initdb` and `postgres`, or undefined where there is none. */
export function findPostgres(): string | undefined {
  const debian = globSync('/usr/lib/postgresql/*/bin').sort().reverse();
  return [...debian, ...(process.env.PATH ?? '').split(delimiter)].find((directory) =>
    ['initdb', 'postgres'].every((program) => isThere(join(directory, program))),
  );
}

export async function startPostgres(bin: string): Promise<RunningPostgres> {
  const directory = mkdtempSync(join(tmpdir(), 'postgres-'));
  const owner = unprivileged();
  if (owner !== undefined) chownSync(directory, owner.uid, owner.gid);
  const data = join(directory, 'data');
  const options = { ...owner, cwd: directory };
  execFileSync(join(bin, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'old', '--no-sync', '-E', 'UTF8'], {
    ...options,
    stdio: 'ignore',
  });
  const settings = ['listen_addresses=', `unix_socket_directories=${directory}`, 'fsync=off'];
  const server = spawn(
    join(bin, 'postgres'),
    ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
    { ...options, stdio: 'ignore' },
  );
  const url = `postgresql:///postgres?host=${encodeURIComponent(directory)}&user=old`;
  const client = await connect(url, server);
  return {
    url,
    client,
    async close() {
      await client.end();
      const exited = once(server, 'exit');
      server.kill('SIGINT');
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function connect(url: string, server: ChildProcess): Promise<Client> {
  for (;;) {
    if (server.exitCode !== null) throw new Error(`postgres left with ${server.exitCode}`);
    const client = new Client({ connectionString: url });
    try {
      await client.connect();
      return client;
    } catch {
      await delay(50);
    }
  }
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (user: string, flag: string) =>
    Number(execFileSync('id', [flag, user], { stdio: ['ignore', 'pipe', 'ignore'] }));
  const user = ['postgres', 'nobody'].find((name) => {
    try {
      return idOf(name, '-u') > 0;
    } catch {
      return false;
    }
  });
  if (user === undefined) throw new Error('There is no user other than root to run PostgreSQL as.');
  return { uid: idOf(user, '-u'), gid: idOf(user, '-g') };
}

function isThere(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}
