import { inject } from 'vitest';
import type { createClient } from '../../../web/client.ts';
import type { UserKeysElement } from '../../../web/user-keys-element.ts';
import { type HostApp, startHostApp } from './start-host-app.ts';
import { type Site, startSite } from './start-site.ts';

declare global {
  interface Window {
    createClient: typeof createClient;
    UserKeysElement: typeof UserKeysElement;
  }
}

/** An app on another origin that uses the deployment's client and element. */
export type Embedding = { readonly app: HostApp; readonly site: Site; close(): Promise<void> };

const APP_PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>An app</title>
    <link rel="icon" href="data:," />
    <style>body { background: Canvas; color: CanvasText }</style>
  </head>
  <body>
    <main><h1>An app</h1></main>
    <script type="module">
      import { createClient } from '/client.js';
      import { UserKeysElement } from '/user-keys.js';
      Object.assign(window, { createClient, UserKeysElement });
    </script>
  </body>
</html>`;

export async function startEmbedding(env: Readonly<Record<string, string>> = {}): Promise<Embedding> {
  const app = await startHostApp(inject('pageDirectory'), ({ url }) =>
    new URL(url).pathname === '/app'
      ? new Response(APP_PAGE, { headers: { 'content-type': 'text/html; charset=utf-8' } })
      : undefined,
  );
  const site = await startSite({ env: { ALLOWED_ORIGINS: app.url, ...env } });
  return {
    app,
    site,
    async close() {
      await Promise.all([site.close(), app.close()]);
    },
  };
}
