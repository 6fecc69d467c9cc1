/**
 * Records one call: an entry in the user's audit log, its usage, and other deferred writes. All of it is written in
 * one KV request after the response, which also completes a call that the store has as begun. A failed write never fails
 * the call.
 */
import type { UserId } from '../identity/user-id.ts';
import { deferredWrites } from '../kv/deferred-writes.ts';
import { callStart } from '../kv/erasure.ts';
import type { Kv } from '../kv/kv.ts';
import type { Script } from '../kv/query.ts';
import { lazy } from '../lazy.ts';
import { log } from '../log.ts';
import type { Send } from '../outgoing/send.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import type { Secret } from '../secret.ts';
import type { Stages } from '../telemetry/stages.ts';
import type { Metered } from '../usage/meter.ts';
import { toModelName } from '../usage/model-name.ts';
import { countUsage } from '../usage/usage-ledger.ts';
import type { AuditAction, AuditEntry, AuditRoute } from './audit-entry.ts';
import { type AuditBounds, appendAudit, recordRefusal } from './audit-log.ts';
import { type BegunCall, completeCall } from './begun-calls.ts';

type Facts = {
  readonly action?: AuditAction;
  readonly route?: AuditRoute;
  readonly provider?: ProviderId;
  readonly model?: string | undefined;
};

/** How the call ended; status is null when there was no response. */
type Outcome = { readonly status: number | null; readonly outcome: string };

export type Journal = {
  readonly stages: Stages;
  /** Adds facts about the call. A later fact replaces an earlier one. */
  note(facts: Facts): void;
  /** What is known of the call when it is admitted. */
  describe(): BegunCall;
  /** Records that the store has the call as begun. */
  recordBegun(): void;
  /** Records that the operator's code received a key: one audit entry, and one call without token counts. */
  recordOpened(provider: ProviderId): void;
  /** Keeps a secret out of the log: a model name that contains it is not written. */
  redact(secret: Secret): void;
  /** Adds a script to the KV request that is sent after the response. */
  defer(write: Script): void;
  /** Wraps a `Send` for calls to the provider: times each call and reads the token counts as the response streams. */
  meter(send: Send): Send;
  /** Runs work after the response. Its failure is ignored. */
  afterResponse(work: () => Promise<unknown>): void;
  /** Runs when the call ends, before anything is written. */
  beforeEnd(run: () => void): void;
  /** Ends the call. A second call does nothing. The write waits until every provider response has finished streaming. */
  end(outcome: Outcome): void;
};

export type OpenJournal = (call: {
  readonly user: UserId;
  readonly requestId: string;
  readonly stages: Stages;
  /** Undefined: the call gets no audit entry. */
  readonly action?: AuditAction | undefined;
}) => Journal;

/** Calls that reach no provider do not load the parsers. */
const loadMeter = lazy(() => import('../usage/meter.ts'));

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
    let facts: Facts = action === undefined ? {} : { action };
    let hasBegun = false;
    let wasSent = false;
    let isEnded = false;
    const opened: ProviderId[] = [];
    const secrets: Secret[] = [];
    const deferred: Script[] = [];
    const endCallbacks: (() => void)[] = [];
    /** What each provider response reported, in order. */
    const answers: Promise<Metered>[] = [];

    /** Our own routes call the provider themselves. Only the operator's code takes keys without a metered call. */
    const openedByCode = () => (facts.route === 'code' ? opened : []);

    /** The model that the provider reported, or else the requested one. */
    function modelOf(metered: Metered | undefined): string | undefined {
      const model = metered?.model ?? toModelName(facts.model);
      return secrets.some((secret) => model?.includes(secret.reveal())) ? undefined : model;
    }

    function auditEntries({ status, outcome }: Outcome, metered: Metered | undefined): readonly AuditEntry[] {
      if (facts.action === undefined) return [];
      const entry: AuditEntry = {
        time: startedAt.toISOString(),
        action: facts.action,
        route: facts.route ?? null,
        provider: facts.provider ?? null,
        outcome,
        status,
        durationMs: Math.round(stages.elapsedMs()),
        requestId,
        model: modelOf(metered) ?? null,
        inputTokens: metered?.tokens?.input ?? null,
        outputTokens: metered?.tokens?.output ?? null,
        count: 1,
        since: null,
      };
      const providers = openedByCode();
      return providers.length === 0 ? [entry] : providers.map((provider) => ({ ...entry, provider }));
    }

    /** An entry of its own for what was done with a key; equal refusals share one. */
    function writeEntries(outcome: Outcome, metered: Metered | undefined): readonly Script[] {
      const entries = auditEntries(outcome, metered);
      const [refused] = entries;
      if (refused === undefined) return [];
      const isRefusal = outcome.outcome !== 'ok' && !wasSent && openedByCode().length === 0;
      return isRefusal
        ? [recordRefusal(user, refused, bounds.audit, startedAt)]
        : [appendAudit(user, entries, bounds.audit, startedAt)];
    }

    function usageCalls(metered: readonly Metered[]) {
      const { provider: called } = facts;
      const answered = called === undefined ? [] : metered.map((answer) => [called, answer] as const);
      const unmetered = openedByCode().map((provider) => [provider, undefined] as const);
      return [...answered, ...unmetered].map(([provider, answer]) => ({
        provider,
        model: modelOf(answer),
        tokens: answer?.tokens,
      }));
    }

    async function write(outcome: Outcome): Promise<void> {
      await responseReturned();
      const metered = await Promise.all(answers);
      const calls = usageCalls(metered);
      const period = { at: startedAt, keepDays: bounds.usageMaxAgeDays };
      const scripts = [
        // First: it stops the others when the user has been erased since the call began.
        ...(hasBegun ? [completeCall(user, requestId)] : []),
        ...deferred,
        ...writeEntries(outcome, metered.at(-1)),
        ...(calls.length > 0 ? [countUsage(user, calls, period)] : []),
      ];
      if (scripts.length > 0) await kv.run(deferredWrites(callStart(user, startedAt), scripts));
    }

    return {
      stages,
      note(more) {
        facts = { ...facts, ...more };
      },
      describe: () => ({ requestId, startedAt, route: facts.route }),
      recordBegun() {
        hasBegun = true;
      },
      recordOpened: (provider) => void opened.push(provider),
      redact: (secret) => void secrets.push(secret),
      defer: (script) => void deferred.push(script),
      meter: (send) => async (request) => {
        wasSent = true;
        const [answer, { meterAnswer }] = await Promise.all([
          stages.time('provider', () => send(request)),
          loadMeter(),
        ]);
        const metered = meterAnswer(answer, request.signal);
        answers.push(metered?.metered ?? Promise.resolve({ tokens: undefined, model: undefined }));
        return metered?.answer ?? answer;
      },
      afterResponse: (work) =>
        after(
          responseReturned()
            .then(work)
            .catch(() => undefined),
        ),
      beforeEnd: (run) => void endCallbacks.push(run),
      end(outcome) {
        if (isEnded) return;
        isEnded = true;
        for (const run of endCallbacks) run();
        after(write(outcome).catch(() => log({ level: 'warn', event: 'journal_lost', requestId })));
      },
    };
  };
}

/** Resolves after the handler has returned its response: the rest of its work runs in microtasks, before any timer. */
function responseReturned(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
