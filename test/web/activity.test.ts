import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newProviderKey } from '../support/start-world.ts';
import { findAccessibilityViolations } from './support/axe.ts';
import { chromiumPath, launchChromium } from './support/chromium.ts';
import { createKeysPage, type KeysPage } from './support/keys-page.ts';
import { type Site, startSite } from './support/start-site.ts';

describe.skipIf(chromiumPath === undefined)('limits and activity', () => {
  let site: Site;
  let browser: Browser;
  let page: Page;
  let keysPage: KeysPage;
  let authorization = '';

  beforeAll(async () => {
    [site, browser] = await Promise.all([startSite(), launchChromium()]);
    const context = await browser.newContext();
    context.setDefaultTimeout(30_000);
    page = await context.newPage();
    page.on('request', (request) => {
      authorization = request.headers().authorization ?? authorization;
    });
    keysPage = createKeysPage(page);
    await keysPage.signIn(site.url, 'alice');
    await keysPage.heading('Add your API keys').waitFor();
    await api('PUT', '/api/keys/openai', { key: newProviderKey() });
    const steps = [
      { step: 'api-keys', status: 'completed' },
      { step: 'try-it', status: 'skipped' },
      { step: 'finish', status: 'skipped' },
    ];
    for (const step of steps) await api('PATCH', '/api/onboarding', step);
    await page.reload();
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  const api = (method: string, path: string, json: unknown) =>
    fetch(site.url + path, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(json),
    });
  const chat = async () =>
    (await api('POST', '/api/proxy/openai/v1/chat/completions', { model: 'gpt-test' })).text();

  test('limits can be set and removed, and the card shows what is left', async () => {
    await keysPage.button('Limits: OpenAI').click();
    await page.getByLabel('Daily limit').fill('3');
    await page.getByLabel('Allowed models').fill('gpt-test, gpt-other');
    await page.getByLabel('Expiry date').fill('2099-12-30');
    expect(await findAccessibilityViolations(page)).toEqual([]);
    await keysPage.button('Save limits').click();
    await keysPage.card('OpenAI').getByText('3 of 3 calls left today').waitFor();
    await keysPage.card('OpenAI').getByText('2 allowed models').waitFor();
    await keysPage.card('OpenAI').getByText('Expiry date: Dec 30, 2099').waitFor();
    expect(await page.evaluate('document.activeElement?.localName')).toBe('user-keys-page');
    for (const _ of [1, 2, 3]) await chat();
    await page.reload();
    await keysPage.status('OpenAI', 'Daily limit reached').waitFor();
    await keysPage.button('Limits: OpenAI').click();
    await page.getByLabel('Daily limit').fill('many');
    await keysPage.button('Save limits').click();
    await page.getByText('The daily limit must be a whole number.').waitFor();
    await page.getByLabel('Daily limit').fill('');
    await page.getByRole('switch', { name: 'Paused' }).check();
    await keysPage.button('Save limits').click();
    await keysPage.status('OpenAI', 'Paused').waitFor();
    expect(await findAccessibilityViolations(page)).toEqual([]);
  });

  test('the chart, the token counts and the log show what happened', async () => {
    await chat();
    await page.reload();
    await page.getByRole('img', { name: /^3 calls from .+ to .+, at most 3 on one day$/ }).waitFor();
    const row = page.getByRole('row', { name: 'OpenAI gpt-test' });
    expect(await row.getByRole('cell').allInnerTexts()).toEqual(['3', '9', '15']);
    const log = page.getByRole('list', { name: 'Recent activity' });
    await log.getByText('Call to OpenAI blocked: the key is paused').waitFor();
    await log.getByText('OpenAI key added').waitFor();
    expect(await log.getByText('Call to OpenAI', { exact: true }).count()).toBe(3);
    // A paused key is not checked.
    await keysPage.button('Limits: OpenAI').click();
    await page.getByRole('switch', { name: 'Paused' }).uncheck();
    await keysPage.button('Save limits').click();
    await keysPage.status('OpenAI', 'Valid').waitFor();
    await keysPage.button('Check: OpenAI').click();
    await log.getByText('OpenAI key checked').waitFor();
    expect(await findAccessibilityViolations(page)).toEqual([]);
  });
});
