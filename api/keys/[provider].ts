import { app, endpoint } from '../../lib/app.ts';
import { providerOf } from '../../lib/handlers/proxy.ts';
import { guardsPatch } from '../../lib/guards/guards.ts';
import { route } from '../../lib/http/endpoint.ts';
import { json, noContent } from '../../lib/http/json.ts';
import { saveKeyBody } from '../../lib/keys/save-key-body.ts';
import { Secret } from '../../lib/secret.ts';

export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = endpoint('/api/keys/:provider', {
  GET: route({}, async (call) => {
    const provider = providerOf(call);
    // Only a key that is made for the browser is revealed; metadata alone is nothing to write down.
    if (provider.publishable) call.journal.note({ action: 'reveal' });
    return json(await (await app()).keys.read(call.user, provider));
  }),
  PUT: route({ body: saveKeyBody, audit: 'save' }, async (call) => {
    const key = new Secret(call.body.key);
    const { created, metadata } = await (await app()).keys.save(call.user, providerOf(call), key);
    if (!created) call.journal.note({ action: 'replace' });
    return json(metadata, created ? 201 : 200);
  }),
  PATCH: route({ body: guardsPatch, audit: 'guard' }, async (call) =>
    json(await (await app()).keys.guard(call.user, providerOf(call), call.body.guards)),
  ),
  POST: route({ audit: 'check' }, async (call) =>
    json(await (await app()).keys.check(call.user, providerOf(call))),
  ),
  DELETE: route({ audit: 'delete' }, async (call) => {
    await (await app()).keys.remove(call.user, providerOf(call));
    return noContent();
  }),
});
