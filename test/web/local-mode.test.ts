import { appendFile, readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newProviderKey } from '../support/start-world.ts';
import { findAccessibilityViolations } from './support/axe.ts';
import { chromiumPath, launchChromium } from './support/chromium.ts';
import { createKeysPage, type KeysPage } from './support/keys-page.ts';
import { type Site, startSite } from './support/start-site.ts';

describe.skipIf(chromiumPath === undefined)('on a developer’s machine, the page', () => {
  let site: Site;
  let browser: Browser;
  let page: Page;
  let keysPage: KeysPage;
  const envFile = () => site.world.env.ENV_FILE ?? '';

  beforeAll(async () => {
    [site, browser] = await Promise.all([startSite({ env: { DEPLOY_ENV: 'local' } }), launchChromium()]);
    page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(30_000);
    keysPage = createKeysPage(page);
    await keysPage.signIn(site.url, 'alice');
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  test('shows that a saved key is also in the .env file', async () => {
    const key = newProviderKey();
    await keysPage.openForm('OpenAI');
    await keysPage.saveKey('OpenAI', key);
    await keysPage.card('OpenAI').getByText('Also in .env').waitFor();
    expect(await readFile(envFile(), 'utf8')).toContain(`OPENAI_API_KEY=${key}`);
  });

  test('says when a key cannot be written to the .env file', async () => {
    await keysPage.openForm('Exa');
    await keysPage.saveKey('Exa', `${newProviderKey()}$`);
    await page.getByText('The key is saved, but not in your .env file.').waitFor();
    expect(await findAccessibilityViolations(page)).toEqual([]);
  });

  test('shows a key that was added to the .env file by hand, and deletes it from that file', async () => {
    await appendFile(envFile(), `ANTHROPIC_API_KEY=${newProviderKey()}\n`);
    await page.reload();
    await keysPage.card('Anthropic').getByText('This key is in your .env file.').waitFor();
    expect(await findAccessibilityViolations(page)).toEqual([]);
    await keysPage.button('Delete: Anthropic').click();
    await page.getByRole('dialog').getByText('and removes it from your .env file').waitFor();
    await keysPage.button('Delete key').click();
    await keysPage.button('Add key: Anthropic').waitFor();
    expect(await readFile(envFile(), 'utf8')).not.toContain('ANTHROPIC_API_KEY');
  });
});
