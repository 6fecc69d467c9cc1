import { app, endpoint } from '../lib/app.ts';
import { proxyCall } from '../lib/handlers/proxy.ts';
import { route } from '../lib/http/endpoint.ts';
import { findProvider } from '../lib/providers/catalogue.ts';

const pass = route(
  { audit: 'use', tokenHeader: ({ provider = '' }) => findProvider(provider)?.credential.header },
  async (call) => proxyCall(await app(), call),
);

/** `/api/proxy/{provider}/{path}`; vercel.json rewrites every such path to this function. */
export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = endpoint('/api/proxy/:provider/*', {
  GET: pass,
  HEAD: pass,
  POST: pass,
  PUT: pass,
  PATCH: pass,
  DELETE: pass,
});
