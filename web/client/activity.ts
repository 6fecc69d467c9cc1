/** What the user's keys were used for: the log, calls and tokens per day, and the guards that limit it. */
import type { AuditEntry as Entry } from '../../lib/audit/audit-entry.ts';
import type { GuardsPatch } from '../../lib/guards/guards.ts';
import type { describeUsage } from '../../lib/usage/usage-report.ts';
import { decodeStoredKey, type ProviderName, type StoredKey } from './answers.ts';
import type { CallApi } from './call-api.ts';
import { fieldsOf, list, nullable, number, optional, text, wholeNumber } from './decode.ts';
import { readAnswer } from './read-answer.ts';

export type { GuardsPatch };

/** One entry of the log. Actions and outcomes are any text: a page may be older than the server. */
export type AuditEntry = Omit<Entry, 'action' | 'route' | 'provider'> & {
  readonly action: string;
  readonly route: string | null;
  readonly provider: ProviderName | null;
};
export type AuditPage = { readonly entries: readonly AuditEntry[]; readonly nextCursor: string | null };

type ServerRow = ReturnType<typeof describeUsage>['rows'][number];
export type UsageRow = Pick<
  ServerRow,
  'day' | 'model' | 'calls' | 'measuredCalls' | 'inputTokens' | 'outputTokens'
> & {
  readonly provider: ProviderName;
  /** Undefined where the operator gives no prices. */
  readonly cost: number | null | undefined;
};
export type Usage = {
  readonly from: string;
  readonly to: string;
  readonly currency: string | undefined;
  readonly rows: readonly UsageRow[];
};

export function createActivity(callApi: CallApi) {
  return {
    /** The newest entries, or those after a cursor. */
    async log(page: { readonly limit: number; readonly cursor?: string }): Promise<AuditPage> {
      const query = new URLSearchParams({
        limit: String(page.limit),
        ...(page.cursor && { cursor: page.cursor }),
      });
      return readAnswer(decodePage, await callApi(`/api/audit?${query}`));
    },

    /** The last 30 days. */
    async usage(): Promise<Usage> {
      return readAnswer(decodeUsage, await callApi('/api/usage'));
    },

    /** Changes the guards that are named; null takes one away. */
    async guard(provider: ProviderName, guards: GuardsPatch): Promise<StoredKey> {
      const path = `/api/keys/${encodeURIComponent(provider)}`;
      return readAnswer(decodeStoredKey, await callApi(path, { method: 'PATCH', json: { guards } }));
    },
  };
}

function decodePage(value: unknown): AuditPage {
  const { entries, nextCursor } = fieldsOf(value);
  return { entries: list(entries, decodeEntry), nextCursor: nullable(nextCursor, text) };
}

function decodeEntry(value: unknown): AuditEntry {
  const fields = fieldsOf(value);
  return {
    time: text(fields.time),
    action: text(fields.action),
    route: nullable(fields.route, text),
    provider: nullable(fields.provider, text),
    outcome: text(fields.outcome),
    status: nullable(fields.status, wholeNumber),
    durationMs: wholeNumber(fields.durationMs),
    requestId: nullable(fields.requestId, text),
    model: nullable(fields.model, text),
    inputTokens: nullable(fields.inputTokens, wholeNumber),
    outputTokens: nullable(fields.outputTokens, wholeNumber),
  };
}

function decodeUsage(value: unknown): Usage {
  const { from, to, currency, rows } = fieldsOf(value);
  return {
    from: text(from),
    to: text(to),
    currency: optional(currency, text),
    rows: list(rows, decodeRow),
  };
}

function decodeRow(value: unknown): UsageRow {
  const fields = fieldsOf(value);
  return {
    day: text(fields.day),
    provider: text(fields.provider),
    model: nullable(fields.model, text),
    calls: wholeNumber(fields.calls),
    measuredCalls: wholeNumber(fields.measuredCalls),
    inputTokens: nullable(fields.inputTokens, wholeNumber),
    outputTokens: nullable(fields.outputTokens, wholeNumber),
    cost: optional(fields.cost, (cost) => nullable(cost, number)),
  };
}
