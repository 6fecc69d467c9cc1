/** A page of another app that embeds `<user-keys>`. */
import type { BrowserContext, Page } from 'playwright-core';
import type { Embedding } from './start-embedding.ts';

export type HostPage = {
  readonly page: Page;
  /** The events of the element so far: name and detail. */
  events(): Promise<readonly (readonly [name: string, detail: unknown])[]>;
};

export type HostPageOptions = {
  /** Returns the token for each request. `fresh`: a new token is required. */
  readonly getToken: (options: { fresh: boolean }) => Promise<string | null>;
  readonly attributes?: Readonly<Record<string, string>>;
  /** Markup inside the element. */
  readonly content?: string;
  /** The app's own style sheet. */
  readonly css?: string;
};

const EVENTS = ['saved', 'checked', 'used', 'removed', 'onboarding', 'sign-in-needed'];

export async function openHostPage(
  context: BrowserContext,
  { app, site }: Embedding,
  { getToken, attributes = {}, content = '', css = '' }: HostPageOptions,
): Promise<HostPage> {
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  await page.exposeFunction('requestToken', getToken);
  await page.goto(`${app.url}/app`);
  await page.waitForFunction(() => 'UserKeysElement' in window);
  if (css) await page.addStyleTag({ content: css });
  await page.evaluate(
    ({ names, attributes, content }) => {
      const element = document.createElement('user-keys');
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      element.innerHTML = content;
      element.getToken = (options) => window.requestToken(options);
      window.recordedEvents = [];
      for (const name of names) {
        element.addEventListener(`user-keys-${name}`, (event) => {
          if (event instanceof CustomEvent) window.recordedEvents.push([name, event.detail]);
        });
      }
      document.querySelector('main')?.append(element);
    },
    { names: EVENTS, attributes: { 'api-base': site.url, ...attributes }, content },
  );
  return { page, events: () => page.evaluate(() => window.recordedEvents) };
}

declare global {
  interface Window {
    requestToken(options: { readonly fresh: boolean }): Promise<string | null>;
    recordedEvents: [string, unknown][];
  }
}
