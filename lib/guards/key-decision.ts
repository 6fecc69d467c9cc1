/** Saying that a user's own guard keeps a key from being used, and where to change it. */
import { Problem, type ProblemCode } from '../errors.ts';
import { findProvider, type ProviderId } from '../providers/catalogue.ts';
import type { Standing } from './admission.ts';

type Refusal = Exclude<Standing['verdict'], 'open' | 'missing'>;

const REASONS: Readonly<Record<Refusal, (name: string) => string>> = {
  key_paused: (name) => `You have paused your ${name} key. The provider was not called.`,
  key_expired: (name) =>
    `The expiry date you set for your ${name} key has passed. The provider was not called.`,
  model_not_allowed: (name) =>
    `You have allowed your ${name} key for certain models, and this call is not known to be for one of them. The provider was not called.`,
  daily_limit_reached: (name) =>
    `Your ${name} key has reached the calls per day you set. The provider was not called; the count begins anew at midnight UTC.`,
};

/** Whether a refusal comes from the user's own guards. */
export function isGuardCode(code: ProblemCode): boolean {
  return Object.hasOwn(REASONS, code);
}

/** A Problem with that code; `daily_limit_reached` with `Retry-After` and the `RateLimit` fields. */
export function guardRefusal(
  provider: ProviderId,
  verdict: Refusal,
  limit?: { readonly callsPerDay: number | undefined; readonly now: Date },
): Problem {
  const name = findProvider(provider)?.name ?? provider;
  return new Problem(verdict, {
    detail: REASONS[verdict](name),
    members: { provider, changeAt: `/api/keys/${provider}` },
    ...(verdict === 'daily_limit_reached' && limit ? { headers: untilMidnight(limit) } : {}),
  });
}

const DAY_SECONDS = 24 * 60 * 60;

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
