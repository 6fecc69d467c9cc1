/** The activity API: the audit log, the usage per day, and the guards that limit how a key is used. */
import type { AuditEntry as Entry } from '../../lib/audit/audit-entry.ts';
import type { GuardsPatch } from '../../lib/guards/guards.ts';
import type { describeUsage } from '../../lib/usage/usage-report.ts';
import { type ApiFetch, readJson } from './api-fetch.ts';
import { type ProviderId, parseStoredKey, type StoredKey } from './api-responses.ts';
import {
  nullable,
  optional,
  parseArray,
  parseInteger,
  parseNumber,
  parseObject,
  parseString,
} from './json-parsers.ts';

export type { GuardsPatch };

/** One entry of the audit log. `action` and `route` are any string, because the server may be newer than the page. */
export type AuditEntry = Omit<Entry, 'action' | 'route' | 'provider'> & {
  readonly action: string;
  readonly route: string | null;
  readonly provider: ProviderId | null;
};
export type AuditPage = { readonly entries: readonly AuditEntry[]; readonly nextCursor: string | null };

type ServerRow = ReturnType<typeof describeUsage>['rows'][number];
export type UsageRow = Pick<
  ServerRow,
  'day' | 'model' | 'calls' | 'measuredCalls' | 'inputTokens' | 'outputTokens'
> & {
  readonly provider: ProviderId;
  /** Undefined when the operator has configured no prices. Null when the cost is not known. */
  readonly cost: number | null | undefined;
};
export type Usage = {
  readonly from: string;
  readonly to: string;
  readonly currency: string | undefined;
  readonly rows: readonly UsageRow[];
};

export function createActivity(apiFetch: ApiFetch) {
  return {
    /** One page of the audit log, newest entry first. Without a cursor: the first page. */
    async log(page: { readonly limit: number; readonly cursor?: string }): Promise<AuditPage> {
      const query = new URLSearchParams({
        limit: String(page.limit),
        ...(page.cursor && { cursor: page.cursor }),
      });
      return readJson(parseAuditPage, await apiFetch(`/api/audit?${query}`));
    },

    /** Usage of the last 30 days. */
    async usage(): Promise<Usage> {
      return readJson(parseUsage, await apiFetch('/api/usage'));
    },

    /** Changes the given guards. Null removes a guard. */
    async updateGuards(provider: ProviderId, guards: GuardsPatch): Promise<StoredKey> {
      const path = `/api/keys/${encodeURIComponent(provider)}`;
      return readJson(parseStoredKey, await apiFetch(path, { method: 'PATCH', json: { guards } }));
    },
  };
}

function parseAuditPage(value: unknown): AuditPage {
  const { entries, nextCursor } = parseObject(value);
  return { entries: parseArray(entries, parseAuditEntry), nextCursor: nullable(nextCursor, parseString) };
}

function parseAuditEntry(value: unknown): AuditEntry {
  const fields = parseObject(value);
  return {
    time: parseString(fields.time),
    action: parseString(fields.action),
    route: nullable(fields.route, parseString),
    provider: nullable(fields.provider, parseString),
    outcome: parseString(fields.outcome),
    status: nullable(fields.status, parseInteger),
    durationMs: nullable(fields.durationMs, parseInteger),
    requestId: nullable(fields.requestId, parseString),
    model: nullable(fields.model, parseString),
    inputTokens: nullable(fields.inputTokens, parseInteger),
    outputTokens: nullable(fields.outputTokens, parseInteger),
    count: parseInteger(fields.count),
    since: nullable(fields.since, parseString),
  };
}

function parseUsage(value: unknown): Usage {
  const { from, to, currency, rows } = parseObject(value);
  return {
    from: parseString(from),
    to: parseString(to),
    currency: optional(currency, parseString),
    rows: parseArray(rows, parseUsageRow),
  };
}

function parseUsageRow(value: unknown): UsageRow {
  const fields = parseObject(value);
  return {
    day: parseString(fields.day),
    provider: parseString(fields.provider),
    model: nullable(fields.model, parseString),
    calls: parseInteger(fields.calls),
    measuredCalls: parseInteger(fields.measuredCalls),
    inputTokens: nullable(fields.inputTokens, parseInteger),
    outputTokens: nullable(fields.outputTokens, parseInteger),
    cost: optional(fields.cost, (cost) => nullable(cost, parseNumber)),
  };
}
