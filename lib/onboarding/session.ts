/**
 * A user's onboarding in KV: one hash, one field a step, and a revision that every write replaces, so that a
 * write made on an outdated view is noticed. docs/storage-schema.md describes the fields.
 */
import { z } from 'zod';
import { Problem } from '../errors.ts';
import type { UserId } from '../identity/user-id.ts';
import { type CallStart, STOP_IF_ERASED } from '../kv/erasure.ts';
import type { Ask } from '../kv/kv.ts';

const stepRecord = z.object({
  v: z.literal(1),
  status: z.enum(['completed', 'skipped']),
  /** When it was first completed or skipped. */
  doneAt: z.iso.datetime(),
  data: z.record(z.string(), z.json()).optional(),
});
export type StepRecord = z.infer<typeof stepRecord>;

export type Session = {
  readonly startedAt: string;
  /** Undefined until the first step is written. */
  readonly revision: string | undefined;
  /** Steps that are completed or skipped, by id. A damaged record is as good as none. */
  readonly done: ReadonlyMap<string, StepRecord>;
};

export const sessionKey = (user: UserId) => `userkeys:onboarding:${user}`;
const stepField = (id: string) => `step:${id}`;

/** The session with these steps. One that does not exist starts with this call. */
export function readSession(user: UserId, stepIds: readonly string[], start: CallStart): Ask<Session> {
  const key = sessionKey(user);
  const startedAt = new Date(start.atMs).toISOString();
  return {
    commands: 2,
    add(batch) {
      batch
        .eval(START_IF_NONE, [key, start.markKey], [startedAt, String(start.atMs)])
        .hmget(key, 'startedAt', 'revision', ...stepIds.map((id) => stepField(id)));
    },
    read([, values]) {
      const [started, revision, ...steps]: readonly unknown[] = Array.isArray(values) ? values : [];
      const done = stepIds.flatMap((id, index) => {
        const record = readStepRecord(steps[index]);
        return record === undefined ? [] : [[id, record] as const];
      });
      return {
        startedAt: z.iso.datetime().safeParse(started).data ?? startedAt,
        revision: typeof revision === 'string' ? revision : undefined,
        done: new Map(done),
      };
    },
  };
}

const START_IF_NONE = `
${STOP_IF_ERASED}
return redis.call('HSETNX', KEYS[1], 'startedAt', ARGV[1])`;

/**
 * Writes one step if the session is still the one that was read. Reads false when another write came first, or
 * the session was started over; then nothing was written.
 *
 * @throws (on reading) Problem `account_erased` when the user was erased since `start`. Nothing was written then.
 */
export function writeStep(
  user: UserId,
  session: Session,
  stepId: string,
  next: StepRecord,
  start: CallStart,
): Ask<boolean> {
  const { revision = '', startedAt } = session;
  const field = stepField(stepId);
  return {
    commands: 1,
    add(batch) {
      batch.eval(
        WRITE_IF_UNCHANGED,
        [sessionKey(user), start.markKey],
        [revision, crypto.randomUUID(), startedAt, field, JSON.stringify(next), String(start.atMs)],
      );
    },
    read([written]) {
      if (Number(written) === -2) throw new Problem('account_erased');
      return Number(written) === 1;
    },
  };
}

const WRITE_IF_UNCHANGED = `
${STOP_IF_ERASED}
if (redis.call('HGET', KEYS[1], 'revision') or '') ~= ARGV[1] then return 0 end
redis.call('HSETNX', KEYS[1], 'startedAt', ARGV[3])
redis.call('HSET', KEYS[1], 'revision', ARGV[2], ARGV[4], ARGV[5])
return 1`;

export function deleteSession(user: UserId): Ask<void> {
  return {
    commands: 1,
    add(batch) {
      batch.del(sessionKey(user));
    },
    read: () => undefined,
  };
}

function readStepRecord(value: unknown): StepRecord | undefined {
  if (typeof value !== 'string') return undefined;
  try {
    return stepRecord.safeParse(JSON.parse(value)).data;
  } catch {
    return undefined;
  }
}
