import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newProviderKey } from '../support/start-world.ts';
import { chromiumPath, launchChromium } from './support/chromium.ts';
import { type Embedding, startEmbedding } from './support/start-embedding.ts';
import type { Site } from './support/start-site.ts';

/** A client method to call. `key` calls `copilotKitKey`. */
type Step =
  | { readonly do: 'key' | 'list' | 'remove' | 'signedOut' }
  | { readonly do: 'save'; readonly key: string };

describe.skipIf(chromiumPath === undefined)('the cached CopilotKit key', () => {
  let embedding: Embedding;
  let site: Site;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    [embedding, browser] = await Promise.all([startEmbedding(), launchChromium()]);
    site = embedding.site;
    page = await browser.newPage();
    await page.goto(`${embedding.app.url}/app`);
  });
  afterAll(async () => {
    await browser?.close();
    await embedding?.close();
  });

  /**
   * Runs the steps in the page, in order, as the given user. Undefined: nobody is signed in. Returns the result of the
   * last `key` step, the cached key, and the number of change events.
   */
  async function as(user: 'alice' | 'bob' | undefined, ...steps: Step[]) {
    const token = user === undefined ? null : await site.issuer.sign(user);
    return page.evaluate(
      async ({ apiBase, token, steps }) => {
        const client = window.createClient({ apiBase, getToken: async () => token });
        let updates = 0;
        window.addEventListener('copilotkit-key-updated', () => {
          updates += 1;
        });
        let answer: unknown;
        for (const step of steps) {
          if (step.do === 'key') answer = await client.copilotKitKey();
          if (step.do === 'list') await client.list();
          if (step.do === 'remove') await client.remove('copilotkit');
          if (step.do === 'signedOut') client.signedOut();
          if (step.do === 'save') await client.save('copilotkit', step.key);
        }
        return { answer, cached: localStorage.getItem('copilotkit_api_key'), updates };
      },
      { apiBase: site.url, token, steps },
    );
  }

  const first = newProviderKey('ck_pub_');
  const second = newProviderKey('ck_pub_');

  test('is missing until the user stores a key, and is then cached at once', async () => {
    expect(await as('alice', { do: 'key' })).toEqual({ answer: undefined, cached: null, updates: 0 });
    expect(await as('alice', { do: 'save', key: first })).toMatchObject({ cached: first, updates: 1 });
  });

  test('is then read from storage, without a request to the server', async () => {
    const requested: string[] = [];
    page.on('request', (request) => requested.push(request.url()));
    expect(await as('alice', { do: 'key' })).toEqual({ answer: first, cached: first, updates: 0 });
    expect(requested.filter((url) => url.includes('/api/'))).toEqual([]);
  });

  test('is updated when the key is replaced in this or another browser', async () => {
    expect(await as('alice', { do: 'save', key: second })).toMatchObject({ cached: second, updates: 1 });
    const elsewhere = { authorization: `Bearer ${await site.issuer.sign('alice')}` };
    const body = JSON.stringify({ key: first });
    await fetch(`${site.url}/api/keys/copilotkit`, { method: 'PUT', headers: elsewhere, body });
    expect(await as('alice', { do: 'list' }, { do: 'key' })).toEqual({
      answer: first,
      cached: first,
      updates: 2,
    });
  });

  test('is removed when another user signs in, who never receives it', async () => {
    expect(await as('bob', { do: 'key' })).toEqual({ answer: undefined, cached: null, updates: 1 });
    expect(await as('alice', { do: 'key' })).toEqual({ answer: first, cached: first, updates: 1 });
  });

  test('is removed when another user makes any request', async () => {
    expect(await as('bob', { do: 'list' })).toMatchObject({ cached: null, updates: 1 });
    await as('alice', { do: 'key' });
  });

  test('is removed when the user signs out, or when getToken returns no token', async () => {
    expect(await as('alice', { do: 'signedOut' })).toMatchObject({ cached: null, updates: 1 });
    await as('alice', { do: 'key' });
    expect(await as(undefined, { do: 'key' })).toEqual({ answer: undefined, cached: null, updates: 1 });
  });

  test('is not cached when another user signs in during the request', async () => {
    const [alice, bob] = await Promise.all([site.issuer.sign('alice'), site.issuer.sign('bob')]);
    const outcome = await page.evaluate(
      async ({ apiBase, alice, bob }) => {
        let requested = 0;
        const client = window.createClient({
          apiBase,
          getToken: async () => (++requested <= 2 ? alice : bob),
        });
        const request = client.copilotKitKey();
        while (requested < 2) await Promise.resolve();
        await client.list();
        return { answer: await request, cached: localStorage.getItem('copilotkit_api_key') };
      },
      { apiBase: site.url, alice, bob },
    );
    expect(outcome).toEqual({ answer: undefined, cached: null });
  });

  test('is not used if storage does not say who owns it', async () => {
    await page.evaluate(() => localStorage.setItem('copilotkit_api_key', 'key-without-owner'));
    expect(await as('bob', { do: 'key' })).toEqual({ answer: undefined, cached: null, updates: 1 });
  });

  test('is removed when the key is deleted', async () => {
    await as('alice', { do: 'key' });
    expect(await as('alice', { do: 'remove' }, { do: 'key' })).toEqual({
      answer: undefined,
      cached: null,
      updates: 1,
    });
  });

  test('is the only kind of key that the API returns', async () => {
    const authorization = `Bearer ${await site.issuer.sign('alice')}`;
    const body = JSON.stringify({ key: newProviderKey() });
    const headers = { authorization, 'content-type': 'application/json' };
    await fetch(`${site.url}/api/keys/openai`, { method: 'PUT', headers, body });
    const answer: unknown = await (await fetch(`${site.url}/api/keys/openai`, { headers })).json();
    expect(answer).not.toHaveProperty('key');
  });
});
