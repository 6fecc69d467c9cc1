import { app, endpoint } from '../../lib/app.ts';
import { providerOf } from '../../lib/calls.ts';
import { route } from '../../lib/http/endpoint.ts';
import { json, noContent } from '../../lib/http/json.ts';
import { saveKeyBody } from '../../lib/keys/save-key-body.ts';
import { Secret } from '../../lib/secret.ts';

export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = endpoint('/api/keys/:provider', {
  GET: route({}, async (call) => json(await (await app()).keys.read(call.user, providerOf(call)))),
  PUT: route({ body: saveKeyBody }, async (call) => {
    const key = new Secret(call.body.key);
    const { created, metadata } = await (await app()).keys.save(call.user, providerOf(call), key);
    return json(metadata, created ? 201 : 200);
  }),
  POST: route({}, async (call) => json(await (await app()).keys.check(call.user, providerOf(call)))),
  DELETE: route({}, async (call) => {
    await (await app()).keys.remove(call.user, providerOf(call));
    return noContent();
  }),
});
