import { serve } from '../lib/app.ts';

/** The gateway. */
export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = serve('/proxy/:provider/*');
