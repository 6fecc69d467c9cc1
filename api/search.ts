import { app, endpoint } from '../lib/app.ts';
import { searchCall } from '../lib/handlers/proxy.ts';
import { route } from '../lib/http/endpoint.ts';
import { searchBody } from '../lib/handlers/search.ts';

export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = endpoint('/api/search', {
  POST: route({ audit: 'use', body: searchBody }, async (call) => searchCall(await app(), call)),
});
