/** The way a call goes out to a provider. */
import type { Journal } from '../audit/journal.ts';
import type { Config } from '../config.ts';
import { Problem, type ProblemCode, type Reason } from '../errors.ts';
import { type Send, SendError } from '../outgoing/send.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import type { BaseUrls } from '../providers/provider-url.ts';

export type ProviderTransport = {
  readonly send: Send;
  readonly baseUrls: BaseUrls;
  /** How long the provider may take to begin its answer. */
  readonly timeoutMs: number;
};

type MeteredCall = {
  readonly app: {
    readonly config: Pick<Config, 'baseUrls' | 'providerTimeoutMs' | 'traceContextTo'>;
    readonly send: Send;
  };
  readonly journal: Journal;
  readonly traceparent: string | undefined;
};

/**
 * The transport for one call. It records the token counts of the provider's answers in the journal, and sends the trace
 * context to the provider if the operator allows it.
 */
export function transportFor(
  { app, journal, traceparent }: MeteredCall,
  provider: ProviderId,
): ProviderTransport {
  const { baseUrls, providerTimeoutMs, traceContextTo } = app.config;
  const metered = journal.meter(app.send);
  const isTold = traceparent !== undefined && traceContextTo.includes(provider);
  const send: Send = isTold
    ? (request) => metered({ ...request, headers: { ...request.headers, traceparent } })
    : metered;
  return { send, baseUrls, timeoutMs: providerTimeoutMs };
}

const SEND_PROBLEMS = {
  timeout: ['provider_timeout', 'provider_timeout'],
  unreachable: ['provider_unreachable', 'provider_connection_failed'],
  aborted: ['provider_unreachable', 'caller_left'],
  unusable: ['provider_error', 'provider_answer_unusable'],
} as const satisfies Record<SendError['reason'], readonly [ProblemCode, Reason]>;

/** A failed exchange with a provider as the caller sees it; any other error as it is. */
export function toProviderProblem(error: unknown): unknown {
  if (!(error instanceof SendError)) return error;
  const [code, reason] = SEND_PROBLEMS[error.reason];
  return new Problem(code, { reason });
}
