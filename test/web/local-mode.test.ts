import { appendFile, readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newProviderKey } from '../support/start-world.ts';
import { findBarriers } from './support/axe.ts';
import { chromiumPath, launchChromium } from './support/chromium.ts';
import { type KeyPage, keyPage } from './support/key-page.ts';
import { type Site, startSite } from './support/start-site.ts';

describe.skipIf(chromiumPath === undefined)('on a developer’s machine, the page', () => {
  let site: Site;
  let browser: Browser;
  let page: Page;
  let person: KeyPage;
  const envFile = () => site.world.env.ENV_FILE ?? '';

  beforeAll(async () => {
    [site, browser] = await Promise.all([startSite({ env: { DEPLOY_ENV: 'local' } }), launchChromium()]);
    page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(10_000);
    person = keyPage(page);
    await person.signIn(site.url, 'alice');
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  test('says that a saved key is in the .env file too', async () => {
    const key = newProviderKey();
    await person.openForm('OpenAI');
    await person.saveKey('OpenAI', key);
    await person.card('OpenAI').getByText('Also in .env').waitFor();
    expect(await readFile(envFile(), 'utf8')).toContain(`OPENAI_API_KEY=${key}`);
  });

  test('says when a key cannot stand in the .env file', async () => {
    await person.openForm('Exa');
    await person.saveKey('Exa', `${newProviderKey()}$`);
    await page.getByText('Saved, but not in your .env file.').waitFor();
    expect(await findBarriers(page)).toEqual([]);
  });

  test('shows a key that was put there by hand, and deletes it there', async () => {
    await appendFile(envFile(), `ANTHROPIC_API_KEY=${newProviderKey()}\n`);
    await page.reload();
    await person.card('Anthropic').getByText('This key is in your .env file.').waitFor();
    expect(await findBarriers(page)).toEqual([]);
    await person.button('Delete: Anthropic').click();
    await page.getByRole('dialog').getByText('and in your .env file').waitFor();
    await person.button('Delete key').click();
    await person.button('Add key: Anthropic').waitFor();
    expect(await readFile(envFile(), 'utf8')).not.toContain('ANTHROPIC_API_KEY');
  });
});
