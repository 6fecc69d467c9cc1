import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { events, REFUSED_KEY_PREFIX, reset } from '../support/answers.ts';
import { newProviderKey } from '../support/start-world.ts';
import { findAccessibilityViolations } from './support/axe.ts';
import { launchChromium } from './support/chromium.ts';
import { createKeysPage, type KeysPage } from './support/keys-page.ts';
import { dumpPage, recordConsoleAndUrls } from './support/page-contents.ts';
import type { Site } from './support/start-site.ts';

const GEMINI = 'Google Gemini';
const EXA = 'Exa';
const OPENAI = 'OpenAI';

/**
 * Tests what a new user does on the page, from the first visit to changing keys later. Each test continues where the
 * last one ended. `wait` is the longest time that anything on the page may take to appear.
 */
export function describeUserJourney(
  start: () => Promise<Site>,
  timeoutsMs: { start: number; wait: number },
): void {
  let site: Site;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let keysPage: KeysPage;
  let traces: ReturnType<typeof recordConsoleAndUrls>;
  const keys = {
    wrong: newProviderKey(REFUSED_KEY_PREFIX),
    gemini: newProviderKey('AIza'),
    exa: newProviderKey('exa-'),
    openai: newProviderKey(),
    newGemini: newProviderKey('AIza'),
  };

  beforeAll(async () => {
    [site, browser] = await Promise.all([start(), launchChromium()]);
    context = await browser.newContext();
    context.setDefaultTimeout(timeoutsMs.wait);
    traces = recordConsoleAndUrls(context);
    page = await context.newPage();
    keysPage = createKeysPage(page);
  }, timeoutsMs.start);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** None of the keys that were typed is in the page, its storage, its console or a URL. */
  async function expectNoKey(): Promise<void> {
    const everything = [await dumpPage(page), ...traces.console, ...traces.urls].join('\n');
    for (const [name, key] of Object.entries(keys)) expect(everything.includes(key), name).toBe(false);
  }

  test('signs in and is asked for a first key', async () => {
    await page.goto(site.url);
    expect(await findAccessibilityViolations(page)).toEqual([]);
    await keysPage.signIn(site.url, 'alice');
    await keysPage.heading('Add your API keys').waitFor();
    await page.getByText('No key added yet').waitFor();
    expect(await findAccessibilityViolations(page)).toEqual([]);
  });

  test('cannot continue without a key, and the page says so', async () => {
    await keysPage.button('Continue').click();
    await page.getByText('Add a key of any provider first.').waitFor();
  });

  test('a wrong key is rejected with a reason and advice, and the field is cleared', async () => {
    await keysPage.openForm(GEMINI);
    const link = keysPage.card(GEMINI).getByRole('link', { name: 'aistudio.google.com/apikey' });
    expect(await link.getAttribute('href')).toBe('https://aistudio.google.com/apikey');
    await keysPage.saveKey(GEMINI, keys.wrong);
    await page.getByText('Google Gemini rejected this key.').waitFor();
    await page.getByRole('link', { name: 'Open Google Gemini' }).waitFor();
    const field = page.getByLabel('Your Google Gemini API key');
    expect(await field.inputValue()).toBe('');
    expect(await field.getAttribute('type')).toBe('password');
    expect(await field.getAttribute('autocomplete')).toBe('off');
    expect(await field.getAttribute('aria-invalid')).toBe('true');
    expect(await findAccessibilityViolations(page)).toEqual([]);
    await expectNoKey();
  });

  test('saving shows progress; afterwards the key is stored, masked and nowhere in the page', async () => {
    let answer = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    site.world.providers.answerNextWith(async (call, response) => {
      await call.received;
      await answered;
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
    await keysPage.saveKey(GEMINI, keys.gemini);
    await page.getByText('Checking this key with Google Gemini').waitFor();
    expect(await findAccessibilityViolations(page)).toEqual([]);
    answer();
    await keysPage.status(GEMINI, 'Valid').waitFor();
    await keysPage.card(GEMINI).getByText(keys.gemini.slice(-4)).waitFor();
    await keysPage.card(GEMINI).getByText('Not used yet').waitFor();
    expect(await keysPage.storedKeys().count()).toBe(1);
    const added = keysPage.card(GEMINI).getByText('just now');
    expect(await added.getAttribute('title')).toContain(String(new Date().getFullYear()));
    expect(await focusedText(page)).toBe(GEMINI);
    await expectNoKey();
  });

  test('a key that could not be checked is stored, is labelled so, and can be checked again', async () => {
    site.world.providers.answerNextWith(reset);
    await keysPage.openForm(OPENAI);
    await keysPage.saveKey(OPENAI, keys.openai);
    await keysPage.status(OPENAI, 'Not checked yet').waitFor();
    await page.getByText('The key is saved, but it could not be checked with OpenAI.').waitFor();
    expect(await findAccessibilityViolations(page)).toEqual([]);
    await keysPage.button('Check: OpenAI').click();
    await keysPage.status(OPENAI, 'Valid').waitFor();
    await expectNoKey();
  });

  test('search finds a third provider', async () => {
    await page.getByRole('searchbox').fill('search agents');
    await page.getByText('2 providers found').waitFor();
    expect(await findAccessibilityViolations(page)).toEqual([]);
    await keysPage.openForm(EXA);
    await keysPage.saveKey(EXA, keys.exa);
    await keysPage.status(EXA, 'Valid').waitFor();
    await page.getByText('3 keys added').waitFor();
  });

  test('a reload during onboarding loses nothing', async () => {
    await keysPage.button('Continue').click();
    await keysPage.heading('Try it').waitFor();
    await page.reload();
    await keysPage.heading('Try it').waitFor();
    await keysPage.button('API keys (completed)').click();
    for (const provider of [GEMINI, EXA, OPENAI]) await keysPage.status(provider, 'Valid').waitFor();
    await keysPage.button('Continue').click();
    await keysPage.heading('Try it').waitFor();
  });

  test('the answer to a first prompt is streamed, and the call uses the user’s own key', async () => {
    site.world.providers.reset();
    let writeRest = () => {};
    const rest = new Promise<void>((resolve) => {
      writeRest = resolve;
    });
    const piece = (text: string) =>
      `data: ${JSON.stringify({ candidates: [{ content: { role: 'model', parts: [{ text }] }, index: 0 }] })}`;
    site.world.providers.answerNextWith(
      events([piece('A first piece'), piece(' and the rest.')], {
        before: (index) => (index === 1 ? rest : undefined),
      }),
    );
    await page.getByLabel('Your prompt').fill('Say something.');
    await keysPage.button('Send').click();
    await page.getByText('A first piece', { exact: true }).waitFor();
    writeRest();
    await page.getByText('A first piece and the rest.', { exact: true }).waitFor();
    await page.getByText('using your own key').waitFor();
    expect(site.world.calls.map(({ provider, credential }) => [provider, credential])).toEqual([
      ['gemini', keys.gemini],
    ]);
    expect(await findAccessibilityViolations(page)).toEqual([]);
  });

  test('finishes onboarding and then sees the list of keys', async () => {
    await keysPage.button('Continue').click();
    await keysPage.heading('Your keys are ready').waitFor();
    expect(await findAccessibilityViolations(page)).toEqual([]);
    await keysPage.button('Finish').click();
    await keysPage.heading('You’re all set').waitFor();
    expect(await focusedText(page)).toBe('You’re all set');
    await keysPage.card(GEMINI).getByText('Last used just now').waitFor();
    await page.reload();
    await keysPage.heading('API keys').waitFor();
    await keysPage
      .card(GEMINI)
      .getByText(/^Last used/)
      .waitFor();
    expect(await findAccessibilityViolations(page)).toEqual([]);
  });

  test('replaces a key, and later calls use the new one', async () => {
    await keysPage.openForm(GEMINI);
    await keysPage.saveKey(GEMINI, keys.newGemini);
    await keysPage.card(GEMINI).getByText(keys.newGemini.slice(-4)).waitFor();
    await keysPage.card(GEMINI).getByText('Replaced just now').waitFor();
    site.world.providers.reset();
    await keysPage.button('Send').click();
    await page.getByText('Hello from gemini').waitFor();
    expect(site.world.calls.at(-1)?.credential).toBe(keys.newGemini);
  });

  test('deletes a key only after a confirmation, and never loses the focus', async () => {
    const opener = keysPage.button('Delete: Exa');
    await opener.click();
    await page.getByRole('dialog', { name: 'Delete your Exa key?' }).waitFor();
    expect(await findAccessibilityViolations(page)).toEqual([]);
    await page.keyboard.press('Escape');
    expect(await opener.evaluate((element) => element.matches(':focus'))).toBe(true);
    await opener.click();
    await keysPage.button('Delete key').click();
    await keysPage.button('Add key: Exa').waitFor();
    expect(await focusedText(page)).toBe('Your keys');
    await page.reload();
    await keysPage.heading('API keys').waitFor();
    expect(await keysPage.button('Delete: Exa').count()).toBe(0);
  });

  test('no key is left anywhere, and the console has no unexpected messages', async () => {
    await expectNoKey();
    const stored = await page.evaluate(() => [Object.keys(localStorage), Object.keys(sessionStorage)]);
    expect(stored).toEqual([[], ['userkeys_demo_user']]);
    // The browser logs the two expected errors: no key yet, and the wrong key.
    expect(traces.console.filter((line) => !/status of (409|422)/.test(line))).toEqual([]);
  });

  test('a second user in another browser sees none of these keys', async () => {
    const elsewhere = await browser.newContext();
    const otherPage = await elsewhere.newPage();
    const other = createKeysPage(otherPage);
    await other.signIn(site.url, 'bob');
    await other.heading('Add your API keys').waitFor();
    await otherPage.getByText('No key added yet').waitFor();
    const everything = await dumpPage(otherPage);
    for (const key of Object.values(keys)) expect(everything.includes(key)).toBe(false);
    expect(await other.storedKeys().count()).toBe(0);
    await elsewhere.close();
  });

  test('after signing out, the page shows nothing of the user, and the next user starts from the beginning', async () => {
    await keysPage.button('Sign out').click();
    await keysPage.heading('Choose a test user').waitFor();
    expect(await keysPage.storedKeys().count()).toBe(0);
    await keysPage.button('bob').click();
    await page.getByText('No key added yet').waitFor();
    expect(await keysPage.storedKeys().count()).toBe(0);
  });
}

/** The text of the focused element. Looks inside shadow roots. */
async function focusedText(page: Page): Promise<string | undefined> {
  return page.evaluate(() => {
    let element = document.activeElement;
    while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    return element?.textContent?.trim();
  });
}
