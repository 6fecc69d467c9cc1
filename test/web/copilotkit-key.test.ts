import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newProviderKey } from '../support/start-world.ts';
import { chromiumPath, launchChromium } from './support/chromium.ts';
import { type Embedding, startEmbedding } from './support/start-embedding.ts';
import type { Site } from './support/start-site.ts';

/** What a page can do, by the name of the client's method. */
type Step =
  | { readonly do: 'key' | 'list' | 'remove' | 'signedOut' }
  | { readonly do: 'save'; readonly key: string };

describe.skipIf(chromiumPath === undefined)('the kept CopilotKit key', () => {
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
   * Runs the steps one after the other in the page, as that user (none: nobody is signed in). Gives what the last
   * one answered, what is in storage then, and how often the page was told of a change.
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
        return { answer, kept: localStorage.getItem('copilotkit_api_key'), updates };
      },
      { apiBase: site.url, token, steps },
    );
  }

  const first = newProviderKey('ck_pub_');
  const second = newProviderKey('ck_pub_');

  test('there is none until the user stores one, and then it is kept at once', async () => {
    expect(await as('alice', { do: 'key' })).toEqual({ answer: undefined, kept: null, updates: 0 });
    expect(await as('alice', { do: 'save', key: first })).toMatchObject({ kept: first, updates: 1 });
  });

  test('is read from storage from then on, without asking the server', async () => {
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    expect(await as('alice', { do: 'key' })).toEqual({ answer: first, kept: first, updates: 0 });
    expect(asked.filter((url) => url.includes('/api/'))).toEqual([]);
  });

  test('follows a replacement, here and in another browser', async () => {
    expect(await as('alice', { do: 'save', key: second })).toMatchObject({ kept: second, updates: 1 });
    const elsewhere = { authorization: `Bearer ${await site.issuer.sign('alice')}` };
    const body = JSON.stringify({ key: first });
    await fetch(`${site.url}/api/keys/copilotkit`, { method: 'PUT', headers: elsewhere, body });
    expect(await as('alice', { do: 'list' }, { do: 'key' })).toEqual({
      answer: first,
      kept: first,
      updates: 2,
    });
  });

  test('is gone when another user signs in, who does not get it', async () => {
    expect(await as('bob', { do: 'key' })).toEqual({ answer: undefined, kept: null, updates: 1 });
    expect(await as('alice', { do: 'key' })).toEqual({ answer: first, kept: first, updates: 1 });
  });

  test('is gone when another user’s page does anything at all', async () => {
    expect(await as('bob', { do: 'list' })).toMatchObject({ kept: null, updates: 1 });
    await as('alice', { do: 'key' });
  });

  test('is gone when the user signs out, also when the token source only says that nobody is there', async () => {
    expect(await as('alice', { do: 'signedOut' })).toMatchObject({ kept: null, updates: 1 });
    await as('alice', { do: 'key' });
    expect(await as(undefined, { do: 'key' })).toEqual({ answer: undefined, kept: null, updates: 1 });
  });

  test('is not kept when another user has signed in while it was on its way', async () => {
    const [alice, bob] = await Promise.all([site.issuer.sign('alice'), site.issuer.sign('bob')]);
    const outcome = await page.evaluate(
      async ({ apiBase, alice, bob }) => {
        let asked = 0;
        const client = window.createClient({ apiBase, getToken: async () => (++asked <= 2 ? alice : bob) });
        const asking = client.copilotKitKey();
        while (asked < 2) await Promise.resolve();
        await client.list();
        return { answer: await asking, kept: localStorage.getItem('copilotkit_api_key') };
      },
      { apiBase: site.url, alice, bob },
    );
    expect(outcome).toEqual({ answer: undefined, kept: null });
  });

  test('a key that lies in storage without an owner is not used', async () => {
    await page.evaluate(() => localStorage.setItem('copilotkit_api_key', 'of-nobody-knows-whom'));
    expect(await as('bob', { do: 'key' })).toEqual({ answer: undefined, kept: null, updates: 1 });
  });

  test('is gone when it is deleted', async () => {
    await as('alice', { do: 'key' });
    expect(await as('alice', { do: 'remove' }, { do: 'key' })).toEqual({
      answer: undefined,
      kept: null,
      updates: 1,
    });
  });

  test('is the only one that a page can ever get', async () => {
    const authorization = `Bearer ${await site.issuer.sign('alice')}`;
    const body = JSON.stringify({ key: newProviderKey() });
    const headers = { authorization, 'content-type': 'application/json' };
    await fetch(`${site.url}/api/keys/openai`, { method: 'PUT', headers, body });
    const answer: unknown = await (await fetch(`${site.url}/api/keys/openai`, { headers })).json();
    expect(answer).not.toHaveProperty('key');
  });
});
