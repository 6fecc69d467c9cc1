import { endpoint } from '../lib/app.ts';
import { publicRoute } from '../lib/http/endpoint.ts';
import { json } from '../lib/http/json.ts';
import { describeCatalogue } from '../lib/handlers/providers.ts';

export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = endpoint('/api/providers', {
  GET: publicRoute(() => json(describeCatalogue())),
});
