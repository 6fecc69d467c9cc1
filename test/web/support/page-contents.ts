/** Collects everything that a page shows, stores, logs or requests, to search it for leaked keys. */
import type { BrowserContext, Page } from 'playwright-core';

/** Records all console messages and requested URLs of a browser context, from now on. */
export function recordConsoleAndUrls(context: BrowserContext): {
  readonly console: string[];
  readonly urls: string[];
} {
  const traces = { console: [] as string[], urls: [] as string[] };
  context.on('console', (message) => traces.console.push(message.text()));
  context.on('weberror', ({ error }) => traces.console.push(String(error())));
  context.on('request', (request) => traces.urls.push(request.url(), request.headers().referer ?? ''));
  context.on('page', (page) => page.on('framenavigated', (frame) => traces.urls.push(frame.url())));
  return traces;
}

/**
 * Everything the page holds, as one string: markup with all shadow roots, field values, the properties of custom
 * elements, storage, IndexedDB, cookies, history state and URL.
 */
export async function dumpPage(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const found: unknown[] = [location.href, document.title, document.cookie, history.state];

    function collect(root: Document | ShadowRoot): void {
      found.push(root instanceof ShadowRoot ? root.innerHTML : root.documentElement.outerHTML);
      for (const element of root.querySelectorAll('*')) {
        if ('value' in element) found.push(element.value);
        if (element.localName.includes('-')) found.push(propertiesOf(element));
        if (element.shadowRoot) collect(element.shadowRoot);
      }
    }

    function propertiesOf(element: Element): string {
      const seen = new Set<unknown>();
      return JSON.stringify(Object.fromEntries(Object.entries(element)), (_name, value: unknown) => {
        if (typeof value !== 'object' || value === null) return value;
        if (value instanceof Node || seen.has(value)) return undefined;
        seen.add(value);
        return value instanceof Map || value instanceof Set ? [...value] : value;
      });
    }

    collect(document);
    found.push({ ...localStorage }, { ...sessionStorage });
    for (const { name } of await indexedDB.databases()) found.push(`database ${name}`);
    return found.map((entry) => (typeof entry === 'string' ? entry : JSON.stringify(entry))).join('\n');
  });
}
