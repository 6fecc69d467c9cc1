import { app, endpoint } from '../lib/app.ts';
import { route } from '../lib/http/endpoint.ts';
import { json } from '../lib/http/json.ts';
import { describeUsage, rangeOf, usageQuery } from '../lib/handlers/usage.ts';
import { readUsage } from '../lib/usage/usage-ledger.ts';

export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = endpoint('/api/usage', {
  GET: route({ query: usageQuery }, async ({ user, query }) => {
    const { admit, clock, config } = await app();
    const range = rangeOf(query, clock());
    const rows = await admit(user, readUsage(user, range.from, range.to));
    return json(describeUsage(range, rows, config.usage.prices));
  }),
});
