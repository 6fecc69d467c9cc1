import { app, endpoint } from '../../lib/app.ts';
import { route } from '../../lib/http/endpoint.ts';
import { json, noContent } from '../../lib/http/json.ts';

export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = endpoint('/api/keys', {
  GET: route({}, async ({ user }) => json({ keys: await (await app()).keys.list(user) })),
  DELETE: route({ audit: 'delete_all' }, async ({ user }) => {
    await (await app()).keys.removeAll(user);
    return noContent();
  }),
});
