/**
 * What one call leaves behind: a line in the user's audit log, its usage, and whatever else is to be noted of it.
 * All of it is written in one KV request after the response, and none of it can make a call fail.
 */
import type { UserId } from '../identity/user-id.ts';
import { callStart } from '../kv/erasure.ts';
import type { Kv } from '../kv/kv.ts';
import { type LateWrite, lateWrites } from '../kv/deferred-writes.ts';
import { log } from '../log.ts';
import type { Answer, Send } from '../outgoing/send.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import type { Secret } from '../secret.ts';
import type { Stages } from '../telemetry/stages.ts';
import { type Metered, meterAnswer } from '../usage/meter.ts';
import { toModelName } from '../usage/model-name.ts';
import { countUsage } from '../usage/usage-ledger.ts';
import type { AuditAction, AuditEntry, AuditRoute } from './audit-entry.ts';
import { type AuditBounds, appendAudit } from './audit-log.ts';

export type Journal = {
  readonly stages: Stages;
  /** What is known by now of the call; the last word counts. */
  note(facts: {
    readonly action?: AuditAction;
    readonly route?: AuditRoute;
    readonly provider?: ProviderId;
    readonly model?: string | undefined;
  }): void;
  /** A key was handed to code that makes its calls itself: a line of its own, and a call without figures. */
  noteOpened(provider: ProviderId): void;
  /** A name that holds this is not written down: a key pasted in the place of a model's name. */
  conceal(secret: Secret): void;
  /** To be written along with the rest. */
  also(write: LateWrite): void;
  /** A `Send` for calls to the provider: timed, and the token figures in what it answers are read as it passes. */
  watch(send: Send): Send;
  /** The call is answered: with this status, or with nothing but an outcome. What is still passing is waited for. */
  end(answer: { readonly status: number | null; readonly outcome: string }): void;
};

export type OpenJournal = (call: {
  readonly user: UserId;
  readonly requestId: string;
  readonly stages: Stages;
  /** Undefined: the call itself is not for the log. */
  readonly action?: AuditAction | undefined;
}) => Journal;

export function createJournals({
  kv,
  after,
  clock,
  bounds,
}: {
  readonly kv: Kv;
  readonly after: (work: Promise<unknown>) => void;
  readonly clock: () => Date;
  readonly bounds: { readonly audit: AuditBounds; readonly usageMaxAgeDays: number };
}): OpenJournal {
  return ({ user, requestId, stages, action }) => {
    const startedAt = clock();
    const facts: {
      action?: AuditAction;
      route?: AuditRoute;
      provider?: ProviderId;
      model?: string | undefined;
    } = action === undefined ? {} : { action };
    const opened: ProviderId[] = [];
    const concealed: Secret[] = [];
    const writes: LateWrite[] = [];
    /** The exchanges with providers, in order. */
    const exchanges: Promise<Metered>[] = [];

    function lines(answer: Parameters<Journal['end']>[0], metered: Metered | undefined): AuditEntry[] {
      if (facts.action === undefined) return [];
      const line: AuditEntry = {
        time: startedAt.toISOString(),
        action: facts.action,
        route: facts.route ?? null,
        provider: facts.provider ?? null,
        outcome: answer.outcome,
        status: answer.status,
        durationMs: Math.round(stages.elapsedMs()),
        requestId,
        model: modelOf(metered) ?? null,
        inputTokens: metered?.tokens?.input ?? null,
        outputTokens: metered?.tokens?.output ?? null,
      };
      return opened.length === 0 ? [line] : opened.map((provider) => ({ ...line, provider }));
    }

    /** The model that answered, else the one that was asked for. */
    function modelOf(metered: Metered | undefined): string | undefined {
      const model = metered?.model ?? toModelName(facts.model);
      return concealed.some((secret) => model?.includes(secret.reveal())) ? undefined : model;
    }

    async function write(answer: Parameters<Journal['end']>[0]): Promise<void> {
      await responseHandedOver();
      const metered = await Promise.all(exchanges);
      const entries = lines(answer, metered.at(-1));
      const { provider: called } = facts;
      const exchanged = called === undefined ? [] : metered.map((said) => [called, said] as const);
      const handedOut = opened.map((provider) => [provider, undefined] as const);
      const calls = [...exchanged, ...handedOut].map(([provider, said]) => ({
        provider,
        model: modelOf(said),
        tokens: said?.tokens,
      }));
      const kept = { at: startedAt, keepDays: bounds.usageMaxAgeDays };
      const all = [
        ...writes,
        ...(entries.length > 0 ? [appendAudit(user, entries, bounds.audit, startedAt)] : []),
        ...(calls.length > 0 ? [countUsage(user, calls, kept)] : []),
      ];
      if (all.length > 0) await kv.ask(lateWrites(await callStart(user, startedAt), all));
    }

    return {
      stages,
      note: (more) => void Object.assign(facts, more),
      noteOpened: (provider) => void opened.push(provider),
      conceal: (secret) => void concealed.push(secret),
      also: (write) => void writes.push(write),
      watch: (send) => async (request) => {
        const answer: Answer = await stages.time('provider', () => send(request));
        const metered = meterAnswer(answer, request.signal);
        exchanges.push(metered?.metered ?? Promise.resolve({ tokens: undefined, model: undefined }));
        return metered?.answer ?? answer;
      },
      end(answer) {
        const written = write(answer).catch(() => log({ level: 'warn', event: 'journal_lost', requestId }));
        after(written);
      },
    };
  };
}

/** The response is handed over by then: what is left of producing it runs in microtasks. */
function responseHandedOver(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
