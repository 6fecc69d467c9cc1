/**
 * A user's onboarding in KV: one hash with one field per step, and a revision that every write replaces, so that a write
 * based on an outdated session is detected. docs/storage-schema.md describes the fields.
 */
import { z } from 'zod';
import type { UserId } from '../identity/user-id.ts';
import { type CallStart, ERASED, type UserData, unlessErased } from '../kv/erasure.ts';
import { ownerKey } from '../kv/key-names.ts';
import {
  count,
  fieldsOfHash,
  optionalTexts,
  type Query,
  query,
  type ScriptedWrite,
  scriptQuery,
} from '../kv/query.ts';

const stepRecord = z.object({
  v: z.literal(1),
  status: z.enum(['completed', 'skipped']),
  /** When it was first completed or skipped. */
  doneAt: z.iso.datetime(),
  data: z.record(z.string(), z.json()).optional(),
});
export type StepRecord = z.infer<typeof stepRecord>;

export type Session = {
  /** False before the first read has stored the time of its start. */
  readonly isStarted: boolean;
  readonly startedAt: string;
  /** Undefined until the first step is written. */
  readonly revision: string | undefined;
  /** Steps that are completed or skipped, by id. A step whose record is damaged counts as pending. */
  readonly done: ReadonlyMap<string, StepRecord>;
};

export const sessionKey = (user: UserId) => ownerKey(user, 'onboarding');
const STEP_PREFIX = 'step:';
const stepField = (id: string) => STEP_PREFIX + id;

/** Reads the session with these steps. One that does not exist is described as starting with this call. */
export function readSession(user: UserId, stepIds: readonly string[], start: CallStart): Query<Session> {
  const fields = sessionFields(stepIds);
  return query(
    (pipeline) => pipeline.hmget(sessionKey(user), ...fields),
    z
      .tuple([optionalTexts(fields.length)])
      .transform(([values]): Session => toSession(stepIds, values, start)),
  );
}

/** Starts the session with the time of this call, unless it exists, and reads it. */
export function startSession(user: UserId, stepIds: readonly string[], start: CallStart): Query<Session> {
  const fields = sessionFields(stepIds);
  return scriptQuery(
    unlessErased(start, {
      source: START_IF_NONE,
      keys: [sessionKey(user)],
      args: [startTime(start), ...fields],
    }),
    // A user who was erased meanwhile has no session.
    z
      .union([z.literal(ERASED).transform(() => fields.map(() => null)), optionalTexts(fields.length)])
      .transform((values): Session => toSession(stepIds, values, start)),
  );
}

/** The last argument is the start of the call. */
const START_IF_NONE = `
local session, startedAt = KEYS[1], ARGV[1]
local firstField, lastField = 2, #ARGV - 1
redis.call('HSETNX', session, 'startedAt', startedAt)
return redis.call('HMGET', session, unpack(ARGV, firstField, lastField))`;

const sessionFields = (stepIds: readonly string[]) => ['startedAt', 'revision', ...stepIds.map(stepField)];
const startTime = ({ atMs }: CallStart) => new Date(atMs).toISOString();

/** `values` are those of `sessionFields`, in that order. */
function toSession(
  stepIds: readonly string[],
  [started, revision, ...steps]: readonly (string | null)[],
  start: CallStart,
): Session {
  const done = stepIds.flatMap((id, index) => {
    const record = parseStepRecord(steps[index] ?? undefined);
    return record === undefined ? [] : [[id, record] as const];
  });
  return {
    isStarted: started != null,
    startedAt: z.iso.datetime().safeParse(started).data ?? startTime(start),
    revision: revision ?? undefined,
    done: new Map(done),
  };
}

/** `changed`: another write came first, or the session was deleted. Only `written` stored anything. */
export type WriteOutcome = 'written' | 'changed' | 'erased';

/** Writes one step if the session has not changed since it was read. */
export function writeStep(
  user: UserId,
  { revision = '', startedAt }: Pick<Session, 'revision' | 'startedAt'>,
  stepId: string,
  next: StepRecord,
  start: CallStart,
): Query<WriteOutcome> {
  return scriptQuery(
    unlessErased(start, {
      source: WRITE_IF_UNCHANGED,
      keys: [sessionKey(user)],
      args: [revision, crypto.randomUUID(), startedAt, stepField(stepId), JSON.stringify(next)],
    }),
    z
      .union([z.literal(1), z.literal(0), z.literal(ERASED)])
      .transform((code) => (({ 1: 'written', 0: 'changed', [ERASED]: 'erased' }) as const)[code]),
  );
}

const WRITE_IF_UNCHANGED = `
local session = KEYS[1]
local revision, nextRevision, startedAt, field, record = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if (redis.call('HGET', session, 'revision') or '') ~= revision then return 0 end
redis.call('HSETNX', session, 'startedAt', startedAt)
redis.call('HSET', session, 'revision', nextRevision, field, record)
return 1`;

export function deleteSession(user: UserId): ScriptedWrite<number> {
  return { script: { source: DELETE, keys: [sessionKey(user)], args: [] }, answer: count };
}

const DELETE = `
local session = KEYS[1]
return redis.call('DEL', session)`;

function parseStepRecord(text: string | undefined): StepRecord | undefined {
  if (text === undefined) return undefined;
  try {
    return stepRecord.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** A user's onboarding as it is stored, including steps that are no longer in the list. */
export const onboardingData: UserData = {
  name: 'onboarding',
  kvKeys: (user) => [sessionKey(user)],
  read: (user) =>
    query(
      (pipeline) => pipeline.hgetall(sessionKey(user)),
      z.tuple([fieldsOfHash]).transform(([fields]) => {
        if (fields.size === 0) return null;
        const steps = [...fields].filter(([field]) => field.startsWith(STEP_PREFIX));
        return {
          startedAt: fields.get('startedAt') ?? null,
          steps: steps.map(([field, text]) => ({ id: field.slice(STEP_PREFIX.length), ...toObject(text) })),
        };
      }),
    ),
};

/** The stored record, or its text if it is damaged, because it is still the user's data. */
function toObject(text: string): object {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? parsed : { text };
  } catch {
    return { text };
  }
}
