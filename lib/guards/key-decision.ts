/** What the user's own guards say about a call: whether it may use the key, and the refusal if not. */
import { Problem, type ProblemCode } from '../errors.ts';
import { DAY_SECONDS } from '../limits.ts';
import { findProvider, type ProviderId } from '../providers/catalogue.ts';

export type KeyDecision = {
  /** `missing`: no such key is stored, or an earlier key of the list was taken. */
  readonly outcome: 'allowed' | 'missing' | GuardCode;
  /** The models the user has restricted the key to; undefined: any model. */
  readonly models?: readonly string[] | undefined;
  readonly callsPerDay?: number | undefined;
  /** This call was counted against the key's daily limit. */
  readonly isCounted: boolean;
};

type GuardCode = Extract<
  ProblemCode,
  'key_paused' | 'key_expired' | 'model_not_allowed' | 'daily_limit_reached'
>;

const DETAILS: Readonly<Record<GuardCode, (name: string) => string>> = {
  key_paused: (name) => `You have paused your ${name} key. The provider was not called.`,
  key_expired: (name) =>
    `The expiry date you set for your ${name} key has passed. The provider was not called.`,
  model_not_allowed: (name) =>
    `You have restricted your ${name} key to certain models. This call does not name one of them. The provider was not called.`,
  daily_limit_reached: (name) =>
    `Your ${name} key has reached its daily limit. The provider was not called. The count starts again at midnight UTC.`,
};

/** Whether a refusal comes from the user's own guards. */
export function isGuardCode(code: ProblemCode): boolean {
  return Object.hasOwn(DETAILS, code);
}

/** A Problem with that code; `daily_limit_reached` with `Retry-After` and the `RateLimit` fields. */
export function guardRefusal(
  code: GuardCode,
  key: { readonly provider: ProviderId; readonly basePath: string },
  limit?: { readonly callsPerDay: number | undefined; readonly now: Date },
): Problem {
  const { provider, basePath } = key;
  const name = findProvider(provider)?.name ?? provider;
  return new Problem(code, {
    detail: DETAILS[code](name),
    members: { provider, changeAt: `${basePath}/keys/${provider}` },
    ...(code === 'daily_limit_reached' && limit ? { headers: untilMidnight(limit) } : {}),
  });
}

function untilMidnight({
  callsPerDay = 0,
  now,
}: {
  readonly callsPerDay: number | undefined;
  readonly now: Date;
}): Record<string, string> {
  const seconds = DAY_SECONDS - (Math.floor(now.getTime() / 1000) % DAY_SECONDS);
  return {
    'retry-after': String(seconds),
    'ratelimit-policy': `"per-day";q=${callsPerDay};w=${DAY_SECONDS}`,
    ratelimit: `"per-day";r=0;t=${seconds}`,
  };
}
