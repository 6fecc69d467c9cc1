import { app, endpoint } from '../lib/app.ts';
import { PROMPT_MAX_BYTES } from '../lib/limits.ts';
import { generateCall } from '../lib/handlers/generate.ts';
import { route } from '../lib/http/endpoint.ts';
import { generateBody } from '../lib/generate/generate-body.ts';

export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = endpoint('/api/generate', {
  POST: route({ audit: 'use', body: generateBody, maxBodyBytes: PROMPT_MAX_BYTES }, async (call) =>
    generateCall(await app(), call),
  ),
});
