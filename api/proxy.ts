import { serve } from '../lib/serve.ts';

/** The gateway. */
export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = serve('/proxy/:provider/*');
