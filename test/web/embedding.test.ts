import type { Browser, BrowserContext, BrowserContextOptions } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { json } from '../support/answers.ts';
import { newProviderKey } from '../support/start-world.ts';
import { kvKey } from '../support/user-ids.ts';
import { findAccessibilityViolations } from './support/axe.ts';
import { chromiumPath, launchChromium } from './support/chromium.ts';
import { type HostPageOptions, openHostPage } from './support/host-page.ts';
import { createKeysPage } from './support/keys-page.ts';
import { dumpPage } from './support/page-contents.ts';
import { type Embedding, startEmbedding } from './support/start-embedding.ts';

const STEPS = [
  { id: 'api-keys', title: 'API keys', required: true },
  { id: 'website', title: 'Website', required: true },
  { id: 'research', title: 'Research' },
  { id: 'personalization', title: 'Personalization' },
  { id: 'integrations', title: 'Integrations' },
  { id: 'finish', title: 'Finish' },
];
const KEYS_ONLY = { view: 'keys' };

describe.skipIf(chromiumPath === undefined)('<user-keys> in an app on another origin', () => {
  let embedding: Embedding;
  let browser: Browser;
  let context: BrowserContext;
  let users = 0;

  beforeAll(async () => {
    const env = { ONBOARDING_STEPS: JSON.stringify(STEPS), ONBOARDING_PROVIDERS: 'openai' };
    [embedding, browser] = await Promise.all([startEmbedding(env), launchChromium()]);
  });
  afterEach(async () => {
    embedding.site.world.providers.reset();
    await context.close();
  });
  afterAll(async () => {
    await browser?.close();
    await embedding?.close();
  });

  /** Opens the element for a new user. */
  async function open(options: Partial<HostPageOptions> = {}, browserOptions: BrowserContextOptions = {}) {
    const user = `user-${++users}`;
    context = await browser.newContext(browserOptions);
    const getToken = () => embedding.site.issuer.sign(user);
    const host = await openHostPage(context, embedding, { getToken, ...options });
    return { ...host, user, keysPage: createKeysPage(host.page) };
  }

  test('sends the app events that do not contain the key', async () => {
    const { page, keysPage, events } = await open({ attributes: KEYS_ONLY });
    const key = newProviderKey();
    await keysPage.openForm('OpenAI');
    await keysPage.saveKey('OpenAI', key);
    await keysPage.button('Check: OpenAI').click();
    await page.getByText('OpenAI accepted this key.').waitFor();
    await keysPage.button('Send').click();
    await page.getByText('Hello from openai').waitFor();
    await keysPage.button('Delete: OpenAI').click();
    await keysPage.button('Delete key').click();
    await keysPage.button('Add key: OpenAI').waitFor();
    const recorded = await events();
    const stored = { provider: 'openai', status: 'valid', hint: key.slice(-4) };
    expect(recorded.filter(([name]) => name !== 'onboarding')).toEqual([
      ['saved', expect.objectContaining(stored)],
      ['checked', expect.objectContaining(stored)],
      ['used', { provider: 'openai' }],
      ['removed', { provider: 'openai' }],
    ]);
    expect(JSON.stringify(recorded)).not.toContain(key);
    expect(await dumpPage(page)).not.toContain(key);
  });

  test('uses the app’s font and colours, and derives all other colours from them', async () => {
    const css = `body { font-family: Georgia, serif; }
      user-keys { --user-keys-accent: rgb(120, 20, 90); --user-keys-surface: rgb(250, 245, 240); --user-keys-radius: 0px; }`;
    const { keysPage, page } = await open({ css, attributes: KEYS_ONLY });
    await keysPage.openForm('OpenAI');
    const save = await keysPage.button('Save key').evaluate((element) => {
      const { backgroundColor, fontFamily, borderRadius } = getComputedStyle(element);
      return { backgroundColor, fontFamily, borderRadius };
    });
    expect(save).toEqual({
      backgroundColor: 'rgb(120, 20, 90)',
      fontFamily: 'Georgia, serif',
      borderRadius: '0px',
    });
    expect(await findAccessibilityViolations(page)).toEqual([]);
  });

  test.each([
    [{}, 'dark', '', false],
    [{}, 'dark', ':root { color-scheme: light dark }', true],
    [{ theme: 'system' }, 'dark', '', true],
    [{ theme: 'dark' }, 'light', '', true],
    [{ theme: 'light' }, 'dark', ':root { color-scheme: dark }', false],
  ] as const)('with %o, a %s system and “%s”, dark is %s', async (theme, colorScheme, css, isDark) => {
    const { keysPage, page } = await open({ attributes: { ...KEYS_ONLY, ...theme }, css }, { colorScheme });
    await keysPage.openForm('OpenAI');
    const field = page.getByLabel('Your OpenAI API key');
    const background = await field.evaluate((element) => getComputedStyle(element).backgroundColor);
    expect(background).toBe(isDark ? 'rgb(22, 24, 29)' : 'rgb(255, 255, 255)');
  });

  test.each(['light', 'dark'] as const)(
    'explains what to do for every problem with a key, in %s colours',
    async (colorScheme) => {
      const css = ':root { color-scheme: light dark }';
      const { page, keysPage, user } = await open({ attributes: KEYS_ONLY, css }, { colorScheme });
      const { providers, kv } = embedding.site.world;
      for (const provider of ['OpenAI', 'Exa', 'Anthropic']) {
        if (provider === 'Anthropic') providers.answerNextWith(json({}, 500));
        await keysPage.openForm(provider);
        await keysPage.saveKey(provider, newProviderKey());
        await keysPage.card(provider).getByText('Not used yet').waitFor();
      }
      await keysPage.button('Check: OpenAI').click();
      await page.getByText('OpenAI accepted this key.').waitFor();
      providers.answerNextWith(json({}, 500));
      await keysPage.button('Check: OpenAI').click();
      await page.getByText('The key could not be checked with OpenAI.').waitFor();
      providers.answerNextWith(json({ error: {} }, 401));
      await keysPage.button('Check: OpenAI').click();
      await page.getByText('OpenAI no longer accepts this key.').waitFor();
      const record = JSON.stringify({ v: 1, jwe: 'a..b.c.d', hint: 'last', status: 'valid', version: 1 });
      await fetch(kv.url, {
        method: 'POST',
        headers: { authorization: `Bearer ${kv.token}` },
        body: JSON.stringify(['HSET', kvKey('keys', user), 'exa', record]),
      });
      await page.evaluate(() => document.querySelector('user-keys')?.reload());
      await page.getByText('The stored key cannot be decrypted.').waitFor();
      await page.getByText('The key is saved, but it could not be checked with Anthropic.').waitFor();
      for (const [provider, label] of [
        ['OpenAI', 'Rejected by OpenAI'],
        ['Exa', 'Unreadable'],
        ['Anthropic', 'Not checked yet'],
      ] as const) {
        await keysPage.status(provider, label).waitFor();
      }
      expect(await findAccessibilityViolations(page)).toEqual([]);
    },
  );

  test('an expired token is replaced without the user noticing', async () => {
    const freshFlags: boolean[] = [];
    const { issuer } = embedding.site;
    const expired = await issuer.sign('user-fresh', { exp: 1 });
    const fresh = await issuer.sign('user-fresh');
    const getToken = async (options: { fresh: boolean }) => {
      freshFlags.push(options.fresh);
      return options.fresh ? fresh : expired;
    };
    const { keysPage, events } = await open({ getToken, attributes: KEYS_ONLY });
    await keysPage.heading('API keys').waitFor();
    // Each call asked twice: first for the current token, then for a fresh one.
    const isSettled = () => freshFlags.filter((wasFresh) => wasFresh).length * 2 === freshFlags.length;
    await expect.poll(isSettled, { timeout: 20_000 }).toBe(true);
    expect(await events()).toEqual([]);
  });

  test('without a valid token it says so, notifies the app, and works again after signing in', async () => {
    let token: string | null = null;
    const { page, keysPage, events } = await open({ getToken: async () => token, attributes: KEYS_ONLY });
    await page.getByText('Your session has ended.').waitFor();
    expect(await events()).toContainEqual(['sign-in-needed', null]);
    expect(await findAccessibilityViolations(page)).toEqual([]);
    token = await embedding.site.issuer.sign('user-later');
    await keysPage.button('Try again').click();
    await keysPage.heading('API keys').waitFor();
  });

  test('when another user signs in, nothing of the previous user remains', async () => {
    let user = 'user-before';
    const { keysPage } = await open({
      getToken: () => embedding.site.issuer.sign(user),
      attributes: KEYS_ONLY,
    });
    await keysPage.openForm('OpenAI');
    await keysPage.saveKey('OpenAI', newProviderKey());
    await keysPage.status('OpenAI', 'Valid').waitFor();
    user = 'user-after';
    await keysPage.button('Check: OpenAI').click();
    await keysPage.button('Add key: OpenAI').waitFor();
    expect(await keysPage.status('OpenAI', 'Valid').count()).toBe(0);
  });

  test('offline, it says so and keeps the pasted key; online again, saving works', async () => {
    const { page, keysPage } = await open({ attributes: KEYS_ONLY });
    await keysPage.openForm('OpenAI');
    await context.setOffline(true);
    await page.getByText('The information on this page may be out of date.').waitFor();
    await keysPage.saveKey('OpenAI', newProviderKey());
    await page.getByText('Try again when you are back online.').waitFor();
    expect(await findAccessibilityViolations(page)).toEqual([]);
    await context.setOffline(false);
    await page.getByText('The information on this page may be out of date.').waitFor({ state: 'detached' });
    await keysPage.button('Save key').click();
    await keysPage.status('OpenAI', 'Valid').waitFor();
  });

  test('the app’s own steps show its own contents, in order, and store data', async () => {
    const content = '<p slot="website">Where is your site?</p>';
    const { page, keysPage, events } = await open({ content });
    await page.getByText('Keys still required: OpenAI').waitFor();
    await keysPage.card('OpenAI').getByText('Required').waitFor();
    await keysPage.openForm('OpenAI');
    await keysPage.saveKey('OpenAI', newProviderKey());
    await keysPage.status('OpenAI', 'Valid').waitFor();
    await keysPage.button('Continue').click();
    await keysPage.heading('Website').waitFor();
    await page.getByText('Where is your site?').waitFor();
    expect(await keysPage.button('Skip').count()).toBe(0);
    expect(await findAccessibilityViolations(page)).toEqual([]);
    await page.evaluate(() =>
      document
        .querySelector('user-keys')
        ?.changeStep({ step: 'website', status: 'completed', data: { site: 'https://app.example' } }),
    );
    await keysPage.heading('Research').waitFor();
    await keysPage.button('Skip').click();
    await keysPage.heading('Personalization').waitFor();
    await keysPage.button('Research (skipped)').click();
    await keysPage.heading('Research').waitFor();
    const last = (await events()).at(-1);
    expect(last?.[1]).toMatchObject({
      currentStep: 'personalization',
      steps: [
        { status: 'completed' },
        { status: 'completed', data: { site: 'https://app.example' } },
        { status: 'skipped' },
        { status: 'pending' },
        { status: 'pending' },
        { status: 'pending' },
      ],
    });
  });

  test('every action works with the keyboard alone', async () => {
    const { page, keysPage } = await open({ attributes: KEYS_ONLY });
    await keysPage.button('Add key: OpenAI').focus();
    await page.keyboard.press('Enter');
    await page.keyboard.insertText(newProviderKey());
    await page.keyboard.press('Enter');
    await keysPage.status('OpenAI', 'Valid').waitFor();
    for (const name of ['Check', 'Limits', 'Replace', 'Delete']) {
      await page.keyboard.press('Tab');
      await expect.poll(() => focusedLabel(page)).toBe(`${name}: OpenAI`);
    }
    await page.keyboard.press('Enter');
    await expect.poll(() => focusedLabel(page)).toBe('Cancel');
    await page.keyboard.press('Tab');
    await expect.poll(() => focusedLabel(page)).toBe('Delete key');
    await page.keyboard.press('Enter');
    await keysPage.button('Add key: OpenAI').waitFor();
    await expect.poll(() => focusedLabel(page)).toBe('Choose a provider');
  });

  test('fits a phone that is 360 pixels wide, and every button is at least 44 pixels high', async () => {
    const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };
    const { page, keysPage } = await open({}, phone);
    const expectToFit = async () => {
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
      const heights = await page
        .getByRole('button')
        .evaluateAll((buttons) => buttons.map((button) => button.getBoundingClientRect().height));
      expect(Math.min(...heights)).toBeGreaterThanOrEqual(44);
    };
    await keysPage.heading('Add your API keys').waitFor();
    await expectToFit();
    await keysPage.openForm('OpenAI');
    await expectToFit();
    await keysPage.saveKey('OpenAI', newProviderKey('refused-'));
    await page.getByText('rejected this key').waitFor();
    await expectToFit();
    await keysPage.saveKey('OpenAI', newProviderKey());
    await keysPage.status('OpenAI', 'Valid').waitFor();
    await expectToFit();
    await keysPage.button('Delete: OpenAI').click();
    await page.getByRole('dialog').waitFor();
    await expectToFit();
    expect(await findAccessibilityViolations(page)).toEqual([]);
  });

  test('when the key store is down, it says so and offers to try again', async () => {
    const { page, keysPage } = await open({ attributes: KEYS_ONLY });
    await keysPage.openForm('OpenAI');
    await embedding.site.world.kv.stop();
    await keysPage.saveKey('OpenAI', newProviderKey());
    await page.getByText('The key store is not available right now.').waitFor();
    await page.evaluate(() => document.querySelector('user-keys')?.reload());
    await keysPage.button('Try again').waitFor();
    expect(await findAccessibilityViolations(page)).toEqual([]);
  });
});

async function focusedLabel(page: { evaluate<T>(run: () => T): Promise<T> }): Promise<string | undefined> {
  return page.evaluate(() => {
    let element = document.activeElement;
    while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    return element?.getAttribute('aria-label') ?? element?.textContent?.trim();
  });
}
