/** The headers of everything that is not an API route: the page, its scripts, and addresses with nothing there. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { createHost } from '../../dev/host/create-host.ts';
import { stageLinks } from '../../dev/vercel/stage.ts';
import { temporaryDirectory, writeFiles } from '../support/temporary-directory.ts';

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
];

/** A host with this project's `vercel.json`. */
async function startHost() {
  const root = await temporaryDirectory();
  await writeFiles(root, {
    'package.json': '{"type":"module"}',
    'vercel.json': await readFile('vercel.json', 'utf8'),
    'web/dist/index.html': 'page',
    'web/dist/user-keys.js': 'script',
    'web/dist/assets/page-1.js': 'script',
    'api/userkeys.ts': `export const GET = () => new Response('api');`,
  });
  const { handle } = await createHost(root);
  return async (path: string) => {
    const response = await handle(new Request(`http://127.0.0.1:3000${path}`));
    return response.headers;
  };
}

describe('outside of the API', () => {
  test.each(['/', '/index.html', '/user-keys.js', '/assets/page-1.js', '/nothing', '/a/b/c', '/apis'])(
    '%s has the page’s policy and cannot be framed or sniffed',
    async (path) => {
      const headers = await (await startHost())(path);
      expect(headers.get('content-security-policy')?.split('; ')).toEqual(POLICY);
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
    },
  );

  test('the element can be loaded by pages of other origins', async () => {
    const get = await startHost();
    for (const path of ['/user-keys.js', '/assets/page-1.js']) {
      expect((await get(path)).get('access-control-allow-origin')).toBe('*');
    }
  });
});

test('API routes have no policy from vercel.json: they send their own', async () => {
  const headers = await (await startHost())('/api/health');
  expect(headers.has('content-security-policy')).toBe(false);
});

test('the page has no policy of its own, and no inline script or style', async () => {
  const page = await readFile('web/index.html', 'utf8');
  expect(page).not.toMatch(/http-equiv/i);
  expect(page).not.toMatch(/<style|style=|<script(?![^>]*\ssrc=)|\son\w+=/i);
});

describe('an issuer on this machine', () => {
  const issuer = 'http://127.0.0.1:4321';

  test('is added to the policy under the development servers', async () => {
    vi.stubEnv('AUTH_ISSUER', issuer);
    try {
      const policy = (await (await startHost())('/')).get('content-security-policy');
      expect(policy).toBe(POLICY.join('; ').replace("connect-src 'self'", `connect-src 'self' ${issuer}`));
      const stage = await stageLinks({ issuer });
      const staged = await readFile(join(stage.project, 'vercel.json'), 'utf8');
      await stage.remove();
      expect(JSON.parse(staged).headers[0].headers[0].value).toBe(policy);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test('is the only one: no other issuer is added, and none is in the file that is deployed', async () => {
    vi.stubEnv('AUTH_ISSUER', 'https://issuer.example');
    try {
      const policy = (await (await startHost())('/')).get('content-security-policy');
      expect(policy).toBe(POLICY.join('; '));
    } finally {
      vi.unstubAllEnvs();
    }
    expect(await readFile('vercel.json', 'utf8')).not.toMatch(/localhost|127\.0\.0\.1/);
  });
});
