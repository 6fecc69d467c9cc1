import { serve } from '../lib/serve.ts';

/** Generation, in a function of its own because of the AI SDK. */
export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = serve('/generate');
