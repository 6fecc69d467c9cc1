import { serve } from '../lib/serve.ts';

/** The scheduled rotation of master keys. */
export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = serve('/cron/rotate');
