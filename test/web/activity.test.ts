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
    context.setDefaultTimeout(10_000);
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

  test('limits are set, what is left is shown, and they can be taken away', async () => {
    await keysPage.button('Limits: OpenAI').click();
    await page.getByLabel('Calls per day').fill('3');
    await page.getByLabel('Allowed models').fill('gpt-test, gpt-other');
    await page.getByLabel('Last day').fill('2099-12-30');
    expect(await findAccessibilityViolations(page)).toEqual([]);
    await keysPage.button('Save limits').click();
    await keysPage.card('OpenAI').getByText('3 of 3 calls left today').waitFor();
    await keysPage.card('OpenAI').getByText('Only 2 models').waitFor();
    await keysPage.card('OpenAI').getByText('Until Dec 30, 2099').waitFor();
    expect(await page.evaluate('document.activeElement?.localName')).toBe('user-keys-page');
    for (const _ of [1, 2, 3]) await chat();
    await page.reload();
    await keysPage.status('OpenAI', 'Used up for today').waitFor();
    await keysPage.button('Limits: OpenAI').click();
    await page.getByLabel('Calls per day').fill('many');
    await keysPage.button('Save limits').click();
    await page.getByText('Calls per day must be a whole number.').waitFor();
    await page.getByLabel('Calls per day').fill('');
    await page.getByRole('switch', { name: 'Paused' }).check();
    await keysPage.button('Save limits').click();
    await keysPage.status('OpenAI', 'Paused').waitFor();
    expect(await findAccessibilityViolations(page)).toEqual([]);
  });

  test('the chart, the tokens and the timeline tell what happened', async () => {
    await chat();
    await page.reload();
    await page.getByRole('img', { name: /^3 calls from .+ to .+, at most 3 on one day$/ }).waitFor();
    const row = page.getByRole('row', { name: 'OpenAI gpt-test' });
    expect(await row.getByRole('cell').allInnerTexts()).toEqual(['3', '9', '15']);
    const log = page.getByRole('list', { name: 'What happened' });
    await log.getByText('OpenAI not called: paused by you').waitFor();
    await log.getByText('OpenAI key added').waitFor();
    expect(await log.getByText('OpenAI called').count()).toBe(3);
    await keysPage.button('Check again: OpenAI').click();
    await log.getByText('OpenAI key checked').waitFor();
    expect(await findAccessibilityViolations(page)).toEqual([]);
  });
});
