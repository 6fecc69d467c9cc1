import { composeApp } from '../../lib/compose.ts';
import { loadConfig } from '../../lib/config.ts';
import { Problem } from '../../lib/errors.ts';
import { createRouter } from '../../lib/http/router.ts';
import { toUserId } from '../../lib/identity/user-id.ts';
import { fetchSend } from '../../lib/outgoing/fetch-send.ts';
import { Secret } from '../../lib/secret.ts';
import { openKey, sealKey } from '../../lib/vault/envelope.ts';
import { loadKeyRing } from '../../lib/vault/key-ring.ts';

type Input = { readonly env: Readonly<Record<string, string>>; readonly token: string; readonly key: string };

/** Runs inside the edge VM. The result is JSON, so that no object of the VM leaves it. */
export async function run({ env, token, key }: Input): Promise<string> {
  const config = loadConfig(env);
  const app = composeApp(config, { send: fetchSend, after: () => {} });
  const handle = createRouter(
    async () => app,
    [
      { path: '/keys', load: () => import('../../lib/handlers/keys.ts') },
      { path: '/keys/:provider', load: () => import('../../lib/handlers/key.ts') },
      { path: '/proxy/:provider/*', load: () => import('../../lib/handlers/proxy.ts') },
    ],
    app.basePath,
  );
  const authorization = `Bearer ${token}`;
  const send = (path: string, init: RequestInit = {}) => {
    const headers = { authorization, 'content-type': 'application/json', ...init.headers };
    return handle(new Request(`https://edge.example${path}`, { ...init, headers }));
  };

  const saved = await send('/api/keys/openai', { method: 'PUT', body: JSON.stringify({ key }) });
  const listed: { keys: { provider: string; status: string }[] } = await (await send('/api/keys')).json();
  const proxied = await send('/api/proxy/openai/v1/models', { headers: { 'x-vercel-id': 'x' } });
  const streamed = await send('/api/proxy/openai/v1/chat/completions', {
    method: 'POST',
    body: JSON.stringify({ stream: true }),
  });
  const refused = await send('/api/keys', { headers: { authorization: `${authorization}x` } });
  return JSON.stringify({
    saved: saved.status,
    listed: listed.keys.map(({ provider, status }) => ({ provider, status })),
    proxied: { status: proxied.status, text: await proxied.text() },
    streamed: [...(await streamed.text()).matchAll(/"content":"([^"]*)"/g)].map(([, text]) => text).join(''),
    moved: await openMoved(config.vaultKeys),
    refused: refused.status,
  });
}

async function openMoved(vaultKeys: Secret): Promise<string> {
  const ring = await loadKeyRing({ vaultKeys, wrappedKeys: undefined });
  const [alice, bob] = [toUserId('test', 'alice'), toUserId('test', 'bob')];
  const sealed = await sealKey(ring, { user: alice, provider: 'openai' }, new Secret('k'));
  return openKey(ring, { user: bob, provider: 'openai' }, sealed).then(
    () => 'opened',
    (error: unknown) => (error instanceof Problem ? error.code : 'other'),
  );
}
