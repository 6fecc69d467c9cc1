import { serve } from '../lib/serve.ts';

/** Every other route. vercel.json says which function answers which path. */
export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = serve();
