/** Applies a change to a step and formats a session. Pure functions: no clock, no store. */
import { Problem } from '../errors.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import type { OnboardingPatch, OnboardingState } from './onboarding-schema.ts';
import { API_KEYS_STEP, type StepDefinition } from './onboarding-steps.ts';
import type { Session, StepRecord } from './session.ts';

/**
 * Returns the step's new record, or undefined if nothing changes. A step that was done before keeps the time when it was
 * first done, and its data unless the change has new data. Other steps do not change.
 *
 * @throws Problem `invalid_request` for a step that is not in the list, `step_required` for skipping a
 *   required one, `step_out_of_order` while an earlier one is pending.
 */
export function advance(
  steps: readonly StepDefinition[],
  session: Session,
  patch: OnboardingPatch,
  now: Date,
): StepRecord | undefined {
  const index = steps.findIndex(({ id }) => id === patch.step);
  const step = steps[index];
  if (step === undefined) {
    const detail = `must be one of ${steps.map(({ id }) => id).join(', ')}`;
    throw new Problem('invalid_request', { errors: [{ pointer: '/step', detail }] });
  }
  if (patch.status === 'skipped' && step.required) throw new Problem('step_required');
  const pending = firstPending(steps.slice(0, index), session);
  if (pending !== undefined) {
    throw new Problem('step_out_of_order', {
      detail: `The step “${pending.title}” comes first.`,
      members: { currentStep: pending.id },
    });
  }
  const previous = session.done.get(step.id);
  const data = patch.data ?? previous?.data;
  const next: StepRecord = {
    v: 1,
    status: patch.status,
    doneAt: previous?.doneAt ?? now.toISOString(),
    ...(data === undefined ? {} : { data }),
  };
  return JSON.stringify(next) === JSON.stringify(previous) ? undefined : next;
}

/** The session as it is returned to its user. */
export function describeSession(
  steps: readonly StepDefinition[],
  requiredProviders: readonly ProviderId[],
  session: Session,
): OnboardingState {
  const { done, startedAt } = session;
  const doneCount = steps.filter(({ id }) => done.has(id)).length;
  return {
    currentStep: firstPending(steps, session)?.id ?? null,
    progress: doneCount / steps.length,
    startedAt,
    completedAt: doneCount === steps.length ? latestTime(startedAt, steps, done) : null,
    steps: steps.map(({ id, title, required }) => {
      const record = done.get(id);
      return {
        id,
        title,
        status: record?.status ?? 'pending',
        required,
        ...(id === API_KEYS_STEP ? { requiredProviders: [...requiredProviders] } : {}),
        ...(record?.data === undefined ? {} : { data: record.data }),
      };
    }),
  };
}

/** The latest of these times. It is never before the start, even if the clock was set back. */
function latestTime(startedAt: string, steps: readonly StepDefinition[], done: Session['done']): string {
  const times = steps.flatMap(({ id }) => done.get(id)?.doneAt ?? []);
  return [startedAt, ...times].reduce((a, b) => (Date.parse(b) > Date.parse(a) ? b : a));
}

function firstPending(steps: readonly StepDefinition[], { done }: Session): StepDefinition | undefined {
  return steps.find(({ id }) => !done.has(id));
}
