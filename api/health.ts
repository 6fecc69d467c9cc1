import { app, endpoint } from '../lib/app.ts';
import { checkHealth } from '../lib/handlers/health.ts';
import { publicRoute } from '../lib/http/endpoint.ts';

export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = endpoint('/api/health', {
  GET: publicRoute(async () => checkHealth(await app())),
});
