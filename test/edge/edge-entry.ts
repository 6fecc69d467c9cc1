import { providerOf, proxyCall } from '../../lib/handlers/proxy.ts';
import { composeApp } from '../../lib/compose.ts';
import { loadConfig } from '../../lib/config.ts';
import { Problem } from '../../lib/errors.ts';
import { createEndpoint, route } from '../../lib/http/endpoint.ts';
import { json } from '../../lib/http/json.ts';
import { isUserId } from '../../lib/identity/user-id.ts';
import { saveKeyBody } from '../../lib/keys/save-key-body.ts';
import { fetchSend } from '../../lib/outgoing/fetch-send.ts';
import { Secret } from '../../lib/secret.ts';
import { openKey, sealKey } from '../../lib/vault/envelope.ts';
import { createKeyRing } from '../../lib/vault/key-ring.ts';

type Input = { readonly env: Readonly<Record<string, string>>; readonly token: string; readonly key: string };

/** Runs inside the edge VM; the result is JSON, so that nothing of the VM leaks out. */
export async function run({ env, token, key }: Input): Promise<string> {
  const config = loadConfig(env);
  const app = await composeApp(config, { send: fetchSend, after: () => {} });
  const endpoint = createEndpoint(async () => app);
  const keys = endpoint('/api/keys/:provider', {
    PUT: route({ body: saveKeyBody }, async (call) => {
      const { created, metadata } = await app.keys.save(
        call.user,
        providerOf(call),
        new Secret(call.body.key),
      );
      return json(metadata, created ? 201 : 200);
    }),
  });
  const list = endpoint('/api/keys', { GET: route({}, async ({ user }) => json(await app.keys.list(user))) });
  const pass = route({}, async (call) => proxyCall(app, call));
  const proxy = endpoint('/api/proxy/:provider/*', { GET: pass, POST: pass });
  const authorization = `Bearer ${token}`;
  const origin = 'https://edge.example';

  const saved = await keys.PUT(
    new Request(`${origin}/api/keys/openai`, {
      method: 'PUT',
      headers: { authorization },
      body: JSON.stringify({ key }),
    }),
  );
  const listed: { provider: string; status: string }[] = await (
    await list.GET(new Request(`${origin}/api/keys`, { headers: { authorization } }))
  ).json();
  const proxied = await proxy.GET(
    new Request(`${origin}/api/proxy/openai/v1/models`, { headers: { authorization, 'x-vercel-id': 'x' } }),
  );
  const streamed = await proxy.POST(
    new Request(`${origin}/api/proxy/openai/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ stream: true }),
    }),
  );
  const refused = await list.GET(
    new Request(`${origin}/api/keys`, { headers: { authorization: `${authorization}x` } }),
  );
  return JSON.stringify({
    saved: saved.status,
    listed: listed.map(({ provider, status }) => ({ provider, status })),
    proxied: { status: proxied.status, text: await proxied.text() },
    streamed: [...(await streamed.text()).matchAll(/"content":"([^"]*)"/g)].map(([, text]) => text).join(''),
    moved: await openMoved(config.vaultKeys),
    refused: refused.status,
  });
}

async function openMoved(vaultKeys: Secret): Promise<string> {
  const ring = await createKeyRing(vaultKeys);
  const [alice, bob] = ['alice', 'bob'].filter(isUserId);
  if (alice === undefined || bob === undefined) return 'no users';
  const sealed = await sealKey(ring, { user: alice, provider: 'openai' }, new Secret('k'));
  return openKey(ring, { user: bob, provider: 'openai' }, sealed).then(
    () => 'opened',
    (error: unknown) => (error instanceof Problem ? error.code : 'other'),
  );
}
