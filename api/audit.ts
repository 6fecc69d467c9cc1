import { app, endpoint } from '../lib/app.ts';
import { auditQuery, auditResponse } from '../lib/handlers/audit.ts';
import { readAudit } from '../lib/audit/audit-log.ts';
import { route } from '../lib/http/endpoint.ts';

export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = endpoint('/api/audit', {
  GET: route({ query: auditQuery }, async ({ request, user, query }) => {
    const { admit, clock, config } = await app();
    return auditResponse(request, query, await admit(user, readAudit(user, query, config.audit, clock())));
  }),
});
