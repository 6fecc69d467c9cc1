/** One request's failing stream must not end the process. Runs in a plain Node process, where a rejection would. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { LOOPBACK } from '../../dev/http/listen.ts';

const root = join(import.meta.dirname, '../..');
const urlOf = (path: string) => JSON.stringify(pathToFileURL(join(root, path)).href);
const directory = mkdtempSync(join(tmpdir(), 'failing-stream-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Serves streams that fail in different ways. `/unread` emulates a host that never reads the response. */
const PROGRAM = `
  import { setImmediate as nextTurn } from 'node:timers/promises';
  import { createWebServer } from ${urlOf('dev/http/create-web-server.ts')};
  import { listen } from ${urlOf('dev/http/listen.ts')};
  import { startWorld } from ${urlOf('test/support/start-world.ts')};

  const world = await startWorld();
  const { withUserEnv } = await import(${urlOf('lib/process-env/with-user-env.ts')});
  const failed = () => new Error('the provider failed');
  const sources = {
    '/at-once': { start(controller) { controller.error(failed()); } },
    '/first-pull': { pull(controller) { controller.error(failed()); } },
    '/first-pull-late': { async pull() { await nextTurn(); throw failed(); } },
    '/second-pull': { pulls: 0, pull(controller) { if (this.pulls++ > 0) throw failed(); controller.enqueue(new Uint8Array(1)); } },
    '/unread': { async pull() { await 0; throw failed(); } },
  };
  const handle = withUserEnv((request) => {
    const source = sources[new URL(request.url).pathname];
    return new Response(source && new ReadableStream(source));
  });
  const server = createWebServer(async (request) => {
    const response = await handle(request);
    return request.url.endsWith('/unread') ? new Response('dropped') : response;
  });
  console.log(await listen(server), await world.tokenFor('anna'));
`;

it('a failing stream, read or not, does not stop the process from serving other requests', {
  timeout: 60_000,
}, async () => {
  const file = join(directory, 'serve.mjs');
  writeFileSync(file, PROGRAM);
  const child = spawn(process.execPath, [file], { env: { PATH: process.env.PATH } });
  const exited = once(child, 'exit');
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  try {
    const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), exited]);
    const [port, token] = String(line).split(' ');
    const ask = (method: string, path: string) =>
      fetch(`http://${LOOPBACK}:${port}${path}`, { method, headers: { authorization: `Bearer ${token}` } });
    for (const path of ['/at-once', '/first-pull', '/first-pull-late', '/second-pull', '/unread']) {
      expect((await ask('HEAD', path)).status, errors).toBe(200);
      const answer = ask('GET', path).then((response) => response.text());
      if (path === '/unread') expect(await answer).toBe('dropped');
      else await expect(answer).rejects.toThrow('terminated');
      expect((await ask('GET', '/')).status, errors).toBe(200);
    }
    expect(child.exitCode).toBeNull();
  } finally {
    child.kill();
    await exited;
  }
});
