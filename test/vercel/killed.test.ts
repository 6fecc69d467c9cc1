import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';

const START = `
import { startVercelDev } from './dev/vercel/start-vercel-dev.ts';
const { url } = await startVercelDev({ env: {} });
console.log('READY ' + url);
setInterval(() => {}, 1_000);
`;

test('vercel dev ends with the process that started it, also after kill -9', async () => {
  const starter = spawn(process.execPath, ['--input-type=module-typescript', '-e', START], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let url = '';
  for await (const line of createInterface({ input: starter.stdout })) {
    url = /^READY (\S+)/.exec(line)?.[1] ?? '';
    if (url) break;
  }
  const reaches = () =>
    fetch(url).then(
      () => true,
      () => false,
    );
  expect(await reaches()).toBe(true);
  starter.kill('SIGKILL');
  await once(starter, 'exit');
  await expect.poll(reaches, { timeout: 20_000 }).toBe(false);
}, 120_000);
