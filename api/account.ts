import { app, endpoint } from '../lib/app.ts';
import { route } from '../lib/http/endpoint.ts';
import { json, noContent } from '../lib/http/json.ts';

export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = endpoint('/api/account', {
  GET: route({}, async ({ user }) => json(await (await app()).account.read(user))),
  DELETE: route({}, async ({ user }) => {
    await (await app()).account.erase(user);
    return noContent();
  }),
});
