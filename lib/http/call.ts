/** What a handler receives. */
import type { Journal, OpenJournal } from '../audit/journal.ts';
import type { Config } from '../config.ts';
import type { UserId } from '../identity/user-id.ts';
import type { KeyScope, KeyUse } from '../keys/key-scope.ts';
import type { Kv } from '../kv/kv.ts';
import type { Query, ScriptedWrite } from '../kv/query.ts';
import type { LocalKeys } from '../local/local-keys.ts';
import type { Send } from '../outgoing/send.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import type { Stages } from '../telemetry/stages.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import type { KeyRing } from '../vault/key-ring.ts';

/** The parts of a deployment, composed for one configuration. */
export type App = {
  readonly config: Config;
  /** What every address of this deployment begins with, such as `/api`. No trailing slash. */
  readonly basePath: string;
  readonly kv: Kv;
  /** The master keys. Opened on first use and kept while the instance is warm. */
  readonly ring: () => Promise<KeyRing>;
  readonly send: Send;
  readonly clock: () => Date;
  /** The keys in `.env`, in local mode only. */
  readonly localKeys: LocalKeys | undefined;
  /** Where OpenTelemetry is configured. */
  readonly tracing: Tracing | undefined;
  readonly openJournal: (...call: Parameters<OpenJournal>) => Promise<Journal>;

  /**
   * The caller, from the token in `tokenHeader` or in the bearer header.
   *
   * @throws Problem `token_missing`, `token_invalid`, `token_expired`, `issuer_unavailable`.
   */
  authenticate(request: Request, tokenHeader?: string): Promise<UserId>;
  /**
   * Counts the call against the caller's rate limit in the same KV request as the query. The query must not write,
   * except to counters: it has run when the call is refused.
   *
   * @throws Problem `rate_limited`, `store_unavailable`: without KV no call is admitted.
   */
  admit<T>(user: UserId, query: Query<T>): Promise<T>;
  /**
   * Counts the call and runs the write only if the call is within the limit, in one script. A handler whose first KV
   * request writes uses this; one that has been admitted already writes with `kv`.
   *
   * @throws Problem `rate_limited`: nothing was written. `store_unavailable`.
   */
  admitWrite<T>(user: UserId, write: ScriptedWrite<T>): Promise<T>;
  /**
   * Admits a call that uses keys and fetches the sealed keys of these providers, in one KV request.
   *
   * @throws Problem `rate_limited`, `store_unavailable`.
   */
  openKeys(user: UserId, providers: readonly ProviderId[], use: KeyUse): Promise<KeyScope>;
};

export type PathParams = Readonly<Record<string, string>>;

export type Call = {
  readonly app: App;
  readonly request: Request;
  readonly requestId: string;
  /** The named segments of the path. */
  readonly params: PathParams;
  /** For a route that ends in `/*`: the rest of the raw path, with its leading slash. */
  readonly rest: string;
  readonly stages: Stages;
  /** The trace of this call, sent to the providers in `TRACE_CONTEXT_TO`. */
  readonly traceparent: string | undefined;
};

export type UserCall<Body = undefined, Query = undefined> = Call & {
  /** The verified caller. */
  readonly user: UserId;
  /** Written after the response. The handler notes what it knows of the call. */
  readonly journal: Journal;
  readonly body: Body;
  readonly query: Query;
};
