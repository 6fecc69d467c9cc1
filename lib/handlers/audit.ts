/** GET /api/audit: the caller's own log, newest first, as JSON, CSV or NDJSON. */
import { z } from 'zod';
import { type AuditEntry, auditFields } from '../audit/audit-entry.ts';
import { type AuditPage, auditCursor, readAudit } from '../audit/read-audit.ts';
import { userRoute } from '../http/endpoint.ts';
import { json } from '../http/json.ts';
import { emptyQuery } from '../kv/query.ts';
import { DEFAULT_AUDIT_PAGE_ENTRIES, MAX_AUDIT_PAGE_ENTRIES } from '../limits.ts';

const formats = ['json', 'csv', 'ndjson'] as const;
type Format = (typeof formats)[number];

const auditQuery = z.strictObject({
  /** The most entries of the page. */
  limit: z
    .string()
    .regex(/^\d{1,4}$/, 'must be a whole number')
    .transform(Number)
    .refine(
      (limit) => limit >= 1 && limit <= MAX_AUDIT_PAGE_ENTRIES,
      `must be from 1 to ${MAX_AUDIT_PAGE_ENTRIES}`,
    )
    .default(DEFAULT_AUDIT_PAGE_ENTRIES),
  /** Where the page before ended. */
  cursor: auditCursor.optional(),
  /** Default: what `Accept` asks for, else JSON. */
  format: z.enum(formats).optional(),
});

/**
 * `{entries, nextCursor}`, or one line an entry. `nextCursor` is null at the end. In every format a `Link` header names
 * the next page (RFC 8288).
 */
export const GET = userRoute({ query: auditQuery }, async ({ app, user, request, query }) => {
  // In a request of its own, because reading enters interrupted calls, and a refused call writes nothing.
  await app.admit(user, emptyQuery);
  const page = await app.kv.run(readAudit(user, query, app.config.audit, app.clock()));
  const format = query.format ?? acceptedFormat(request.headers.get('accept') ?? '');
  const response = renderers[format](page);
  if (page.nextCursor !== undefined) {
    const next = new URLSearchParams({ limit: String(query.limit), cursor: page.nextCursor, format });
    response.headers.set('link', `<${app.basePath}/audit?${next}>; rel="next"`);
  }
  response.headers.append('vary', 'Accept');
  return response;
});

function acceptedFormat(accept: string): Format {
  if (/\btext\/csv\b/i.test(accept)) return 'csv';
  return /\bapplication\/(x-ndjson|jsonl)\b/i.test(accept) ? 'ndjson' : 'json';
}

const renderers: Readonly<Record<Format, (page: AuditPage) => Response>> = {
  json: ({ entries, nextCursor }) => json({ entries, nextCursor: nextCursor ?? null }),
  csv: ({ entries }) =>
    file([auditFields.join(','), ...entries.map(csvLine)].join('\r\n'), 'text/csv; charset=utf-8', 'csv'),
  ndjson: ({ entries }) =>
    file(entries.map((entry) => JSON.stringify(entry)).join('\n'), 'application/x-ndjson', 'ndjson'),
};

/** RFC 4180. No value contains a comma, a quote or a line break, or begins like a formula; see audit-entry.ts. */
function csvLine(entry: AuditEntry): string {
  return auditFields.map((name) => String(entry[name] ?? '')).join(',');
}

function file(lines: string, type: string, extension: string): Response {
  return new Response(lines === '' ? '' : `${lines}${type.startsWith('text/csv') ? '\r\n' : '\n'}`, {
    headers: {
      'content-type': type,
      'content-disposition': `attachment; filename="userkeys-audit.${extension}"`,
    },
  });
}
