import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHost } from '../../dev/host/create-host.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

const CALL = /^`([A-Z]+) (\/api\/[^`\s]+)` → (\d{3})$(?:\n\n```json\n([\s\S]*?)```)?/gm;
const calls = [...readFileSync('docs/api.md', 'utf8').matchAll(CALL)];

let world: World;
let handle: (request: Request) => Response | Promise<Response>;
let authorization: string;

beforeAll(async () => {
  world = await startWorld();
  ({ handle } = await createHost(process.cwd()));
  authorization = `Bearer ${await world.tokenFor('alice')}`;
});
afterAll(() => world.close());

test('docs/api.md shows every route but the operator’s', () => {
  const shown = new Set(calls.map(([, method, path]) => `${method} ${path?.split('?')[0]}`));
  expect(shown.size).toBeGreaterThanOrEqual(20);
});

test.each(
  calls.map(([, method = '', path = '', status, body]) => ({ method, path, status: Number(status), body })),
)('$method $path answers $status', async ({ method, path, status, body }) => {
  const request = new Request(`http://127.0.0.1:3000${path}`, {
    method,
    headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: body.replace('<key>', newProviderKey()) }),
  });
  const response = await handle(request);
  expect([response.status, response.status < 400 ? '' : await response.text()]).toEqual([status, '']);
});
