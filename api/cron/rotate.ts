import { app, endpoint } from '../../lib/app.ts';
import { publicRoute } from '../../lib/http/endpoint.ts';
import { rotateCall } from '../../lib/handlers/rotate.ts';

/** Vercel Cron calls it as vercel.json says; anybody else needs CRON_SECRET too. */
export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = endpoint('/api/cron/rotate', {
  GET: publicRoute(async (call) => {
    const { kv, ring, clock, config } = await app();
    return rotateCall({ kv, ring, clock, auditBounds: config.audit }, config.cronSecret, call);
  }),
});
