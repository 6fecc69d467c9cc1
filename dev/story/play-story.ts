import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { catalogue } from '../../lib/providers/catalogue.ts';
import { hintOf, type KeyBook } from '../providers/key-book.ts';
import type { PaidCall } from '../providers/start-providers.ts';
import { type PlannedCall, planCalls, STORED, UNPAID, USERS, type User } from './script.ts';

export type Stage = {
  /** Where the functions are. */
  readonly url: string;
  readonly keys: KeyBook;
  tokenFor(user: User): Promise<string>;
  paidCalls(): readonly PaidCall[];
  /** The `process.env` of the functions process, as it is now. */
  environment(): Promise<Readonly<Record<string, string>>>;
};

export type StoredKeys = {
  readonly user: User;
  readonly hints: ReadonlyMap<string, string>;
  readonly ok: boolean;
};

export type JudgedCall = PlannedCall & {
  readonly status: number;
  /** What the emulators journalled for it: a call that went well has exactly one payment. */
  readonly payments: readonly PaidCall[];
  /** It was answered, and paid once, with its own caller's key. */
  readonly ok: boolean;
};

export type Story = {
  readonly stored: readonly StoredKeys[];
  readonly calls: readonly JudgedCall[];
  readonly refusal: { readonly status: number; readonly code: string; readonly ok: boolean };
  readonly environment: { readonly looks: number; readonly ok: boolean };
};

const LOOK_EVERY_MS = 20;

const Problem = z.looseObject({ code: z.string() });

/**
 * Plays the story against running functions: both users store keys, call at the same time, and one calls a
 * provider that only the other has a key for. Nothing is taken on trust from the functions: who paid is what the
 * emulators journalled, and the functions' environment is looked at before, during and after the calls.
 */
export async function playStory(stage: Stage): Promise<Story> {
  const watch = watchEnvironment(stage);
  const tokens = new Map<User, string>();
  for (const user of USERS) tokens.set(user, await stage.tokenFor(user));
  const call = (user: User, method: string, path: string, body: unknown) =>
    fetch(stage.url + path, {
      method,
      headers: { authorization: `Bearer ${tokens.get(user)}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  await watch.look();
  const stored: StoredKeys[] = [];
  for (const user of USERS) stored.push(await storeKeys(user, stage.keys, call));

  const looking = watch.lookUntilStopped();
  const answered = await Promise.all(
    planCalls().map(async (planned) => {
      const response = await call(
        planned.user,
        'POST',
        planned.way.path,
        planned.way.body(`Say hello. ${planned.marker}`),
      );
      await response.arrayBuffer();
      return { ...planned, status: response.status };
    }),
  );
  await looking.stop();

  const refused = await call('bob', 'POST', UNPAID.path, UNPAID.body('Say hello. [bob, unpaid]'));
  const problem = Problem.safeParse(await refused.json().catch(() => undefined));
  const code = problem.success ? problem.data.code : 'no code';
  await watch.look();

  const paid = stage.paidCalls();
  const hints = new Map(stored.map(({ user, hints }) => [user, hints]));
  return {
    stored,
    calls: answered.map((planned) => judge(planned, paid, hints.get(planned.user))),
    refusal: {
      status: refused.status,
      code,
      ok:
        refused.status === 403 &&
        code === 'key_missing' &&
        !paid.some(({ provider }) => provider === UNPAID.provider),
    },
    environment: watch.result(),
  };
}

/** Whether everything was as promised. */
export function wentWell({ stored, calls, refusal, environment }: Story): boolean {
  return [...stored, ...calls, refusal, environment].every(({ ok }) => ok);
}

async function storeKeys(
  user: User,
  keys: KeyBook,
  call: (user: User, method: string, path: string, body: unknown) => Promise<Response>,
): Promise<StoredKeys> {
  const hints = new Map<string, string>();
  let ok = true;
  for (const provider of STORED[user]) {
    const key = keys.issue(provider, user);
    const response = await call(user, 'PUT', `/api/keys/${provider}`, { key });
    const answer = await response.text();
    ok &&= response.status === 201 && answer.includes('"valid"') && !answer.includes(key);
    hints.set(provider, hintOf(key));
  }
  return { user, hints, ok };
}

function judge(
  call: PlannedCall & { readonly status: number },
  paid: readonly PaidCall[],
  hints: ReadonlyMap<string, string> | undefined,
): JudgedCall {
  const payments = paid.filter(({ asked }) => asked.includes(call.marker));
  const [payment, ...more] = payments;
  const { provider } = call.way;
  const ok =
    call.status === 200 &&
    more.length === 0 &&
    payment?.provider === provider &&
    payment.owner === call.user &&
    payment.hint === hints?.get(provider);
  return { ...call, payments, ok };
}

const KEY_VARIABLES = new Set<string>(catalogue.flatMap(({ variables }) => variables));

/** Looks for any of the keys in the functions' environment, and for any variable that is there to hold one. */
function watchEnvironment(stage: Stage) {
  let looks = 0;
  let clean = true;
  async function look(): Promise<void> {
    const variables = Object.entries(await stage.environment());
    const keys = stage.keys.all();
    looks += 1;
    clean &&= !variables.some(
      ([name, value]) => KEY_VARIABLES.has(name) || keys.some((key) => value.includes(key)),
    );
  }
  return {
    look,
    lookUntilStopped() {
      let stopped = false;
      const looking = (async () => {
        while (!stopped) await Promise.all([look(), delay(LOOK_EVERY_MS)]);
      })();
      return {
        stop() {
          stopped = true;
          return looking;
        },
      };
    },
    result: () => ({ looks, ok: clean }),
  };
}
