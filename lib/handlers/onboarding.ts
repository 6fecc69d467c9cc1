/** Onboarding as its user goes through it: look, do a step, start over. Keys are not touched. */
import { Problem } from '../errors.ts';
import type { UserId } from '../identity/user-id.ts';
import type { HoldKeys } from '../keys/stored-keys.ts';
import { callStart } from '../kv/erasure.ts';
import { type Ask, both, type Kv } from '../kv/kv.ts';
import type { Admit } from '../limits/admit.ts';
import { findProvider, type ProviderId, providerIds } from '../providers/catalogue.ts';
import { type Bundle, readBundle } from '../vault/records.ts';
import { advance, describeSession } from '../onboarding/advance.ts';
import type { OnboardingPatch, OnboardingState } from '../onboarding/onboarding-schema.ts';
import { API_KEYS_STEP, type StepDefinition } from '../onboarding/onboarding-steps.ts';
import { deleteSession, readSession, writeStep } from '../onboarding/session.ts';

type OnboardingSettings = {
  readonly steps: readonly StepDefinition[];
  /** Providers that `api-keys` needs a usable key for; empty: one of any provider. */
  readonly requiredProviders: readonly ProviderId[];
};

type OnboardingDependencies = OnboardingSettings & {
  readonly kv: Kv;
  readonly admit: Admit;
  readonly holdKeys: HoldKeys;
  readonly clock: () => Date;
};

export type Onboarding = ReturnType<typeof createOnboarding>;

const nothing: Ask<undefined> = { commands: 0, add: () => {}, read: () => undefined };

/** How often a change is tried again when other tabs change the same session at the same time. */
const WRITE_TRIES = 16;

export function createOnboarding(from: OnboardingDependencies) {
  const { steps, requiredProviders, kv, admit, holdKeys, clock } = from;
  const stepIds = steps.map(({ id }) => id);
  const wanted = requiredProviders.length > 0 ? requiredProviders : providerIds;

  const assertKeys = async (user: UserId, bundle: Bundle): Promise<void> => {
    const usable = (await holdKeys(user, wanted, bundle))
      .filter(({ metadata: { status } }) => status === 'valid' || status === 'unverified')
      .map(({ metadata: { provider } }) => provider);
    const missing = requiredProviders.filter((provider) => !usable.includes(provider));
    if (usable.length === 0 || missing.length > 0) throw keysMissing(missing);
  };

  return {
    /** The user's session. One that does not exist starts now. */
    async read(user: UserId): Promise<OnboardingState> {
      const start = await callStart(user, clock());
      return describeSession(steps, requiredProviders, await admit(user, readSession(user, stepIds, start)));
    },

    /**
     * Completes or skips a step. The same change again changes nothing. Of any number of changes at once none is
     * lost: each is decided on the session as it is when it is written.
     *
     * @throws Problem `invalid_request` for an unknown step, `step_required`, `step_out_of_order`; for `api-keys`
     *   `step_incomplete` while a required provider has no usable key, that is none that is valid or not yet
     *   verified. `store_unavailable` when others were faster every time, `account_erased` when the user was erased
     *   meanwhile.
     */
    async change(user: UserId, patch: OnboardingPatch): Promise<OnboardingState> {
      const needsKeys = patch.step === API_KEYS_STEP && patch.status === 'completed';
      const start = await callStart(user, clock());
      const question = both(
        readSession(user, stepIds, start),
        needsKeys ? readBundle(user, wanted) : nothing,
      );
      let [session, bundle] = await admit(user, question);
      for (let tries = 0; tries < WRITE_TRIES; tries += 1) {
        const next = advance(steps, session, patch, clock());
        if (next === undefined) return describeSession(steps, requiredProviders, session);
        if (bundle !== undefined) await assertKeys(user, bundle);
        if (await kv.ask(writeStep(user, session, patch.step, next, start))) {
          const done = new Map(session.done).set(patch.step, next);
          return describeSession(steps, requiredProviders, { ...session, done });
        }
        [session, bundle] = await kv.ask(question);
      }
      throw new Problem('store_unavailable', { headers: { 'retry-after': '1' } });
    },

    /** Forgets the session: it starts again when it is next read. */
    async startOver(user: UserId): Promise<void> {
      await admit(user, deleteSession(user));
    },
  };
}

function keysMissing(missing: readonly ProviderId[]): Problem {
  if (missing.length === 0)
    return new Problem('step_incomplete', { detail: 'Add a key of any provider first.' });
  const names = missing.map((provider) => findProvider(provider)?.name ?? provider);
  return new Problem('step_incomplete', {
    detail: `Add a working key first for: ${names.join(', ')}.`,
    members: { missingProviders: missing.join(',') },
  });
}
