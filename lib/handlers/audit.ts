/** `GET /api/audit`: the caller's own log, newest first, as JSON, CSV or NDJSON. */
import { z } from 'zod';
import { json } from '../http/json.ts';
import { type AuditEntry, auditFields } from '../audit/audit-entry.ts';
import { type AuditPage, auditCursor } from '../audit/audit-log.ts';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1_000;

const formats = ['json', 'csv', 'ndjson'] as const;
type Format = (typeof formats)[number];

export const auditQuery = z.strictObject({
  /** How many entries at most, 1 to 1000. Default: 50. */
  limit: z
    .string()
    .regex(/^\d{1,4}$/, 'must be a whole number')
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= MAX_LIMIT, `must be from 1 to ${MAX_LIMIT}`)
    .default(DEFAULT_LIMIT),
  /** Where a page before ended. */
  cursor: auditCursor.optional(),
  /** Default: what `Accept` asks for, else JSON. */
  format: z.enum(formats).optional(),
});
export type AuditQuery = z.infer<typeof auditQuery>;

/**
 * `{entries, nextCursor}`, or one line an entry. `nextCursor` is null at the end; in every form a `Link` to the next
 * page says the same (RFC 8288).
 */
export function auditResponse(request: Request, query: AuditQuery, page: AuditPage): Response {
  const format = query.format ?? acceptedFormat(request.headers.get('accept') ?? '');
  const response = renderers[format](page);
  if (page.nextCursor !== undefined) {
    const next = new URLSearchParams({ limit: String(query.limit), cursor: page.nextCursor, format });
    response.headers.set('link', `</api/audit?${next}>; rel="next"`);
  }
  response.headers.append('vary', 'Accept');
  return response;
}

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

/** RFC 4180. No value can hold a comma, a quote or a line break, nor begin like a formula; see audit-entry.ts. */
function csvLine(entry: AuditEntry): string {
  return auditFields.map((name) => String(entry[name] ?? '')).join(',');
}

function file(lines: string, type: string, extension: string): Response {
  return new Response(lines === '' ? '' : `${lines}${type.startsWith('text/csv') ? '\r\n' : '\n'}`, {
    headers: {
      'content-type': type,
      'content-disposition': `attachment; filename="userkeys-audit.${extension}"`,
      'x-content-type-options': 'nosniff',
    },
  });
}
