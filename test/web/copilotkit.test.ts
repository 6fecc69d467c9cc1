import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newProviderKey } from '../support/start-world.ts';
import { type BuiltPage, buildPage } from './support/build-page.ts';
import { chromiumPath, launchChromium } from './support/chromium.ts';
import { type HostApp, startHostApp } from './support/start-host-app.ts';
import { type Site, startSite } from './support/start-site.ts';

const APP = fileURLToPath(new URL('copilotkit', import.meta.url));
/** The first run installs CopilotKit. */
const START_TIMEOUT_MS = 600_000;
const HEADER = 'x-copilotcloud-public-api-key';

describe.skipIf(chromiumPath === undefined)('a real <CopilotKit>', () => {
  let built: BuiltPage;
  let app: HostApp;
  let site: Site;
  let browser: Browser;
  const seen: string[] = [];

  beforeAll(async () => {
    if (!existsSync(join(APP, 'node_modules'))) {
      await promisify(execFile)('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: APP });
    }
    built = await buildPage(APP);
    app = await startHostApp(built.directory, (request) => {
      if (!new URL(request.url).pathname.startsWith('/copilotkit')) return undefined;
      seen.push(request.headers.get(HEADER) ?? 'none');
      return Response.json({ agents: { default: { name: 'default', description: '' } }, version: '1.0.0' });
    });
    [site, browser] = await Promise.all([startSite({ env: { ALLOWED_ORIGINS: app.url } }), launchChromium()]);
  }, START_TIMEOUT_MS);
  afterAll(async () => {
    await browser?.close();
    await Promise.all([site?.close(), app?.close()]);
    await built?.remove();
  });

  async function save(key: string): Promise<void> {
    const headers = {
      authorization: `Bearer ${await site.issuer.sign('alice')}`,
      'content-type': 'application/json',
    };
    const body = JSON.stringify({ key });
    const answer = await fetch(`${site.url}/api/keys/copilotkit`, { method: 'PUT', headers, body });
    expect(answer.status).toBe(201);
  }

  test('sends the key that its user has stored', async () => {
    const key = newProviderKey('ck_pub_');
    await save(key);
    const page = await browser.newPage();
    await page.goto(`${app.url}/?${new URLSearchParams({ api: site.url, issuer: site.issuer.url })}`);
    await expect.poll(() => seen, { timeout: 60_000 }).toContain(key);
    expect(new Set(seen)).toEqual(new Set([key]));
  }, 90_000);
});
