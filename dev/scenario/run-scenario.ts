import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { catalogue } from '../../lib/providers/catalogue.ts';
import { hintOf, type IssuedKeys } from '../providers/issued-keys.ts';
import type { PaidCall } from '../providers/start-providers.ts';
import { CALL_WITHOUT_KEY, KEYS_OF, type PlannedCall, planCalls, USERS, type User } from './planned-calls.ts';

export type ScenarioSetup = {
  /** The address of the functions. */
  readonly url: string;
  readonly keys: IssuedKeys;
  tokenFor(user: User): Promise<string>;
  paidCalls(): readonly PaidCall[];
  /** The current `process.env` of the functions process. */
  environment(): Promise<Readonly<Record<string, string>>>;
};

export type StoredKeys = {
  readonly user: User;
  readonly hints: ReadonlyMap<string, string>;
  readonly ok: boolean;
};

export type CheckedCall = PlannedCall & {
  readonly status: number;
  /** The emulators' journal entries for this call. A correct call has exactly one. */
  readonly payments: readonly PaidCall[];
  /** It was answered 200 and paid once, with its own caller's key. */
  readonly ok: boolean;
};

export type ScenarioResult = {
  readonly stored: readonly StoredKeys[];
  readonly calls: readonly CheckedCall[];
  readonly refusal: { readonly status: number; readonly code: string; readonly ok: boolean };
  readonly environment: { readonly checks: number; readonly ok: boolean };
};

type SendJson = (user: User, method: string, path: string, body: unknown) => Promise<Response>;

const CHECK_INTERVAL_MS = 20;

const Problem = z.looseObject({ code: z.string() });

/**
 * Runs the demo's scenario against running functions: both users store keys, call at the same time, and one calls a
 * provider for which only the other has a key. The result does not rely on what the functions report: who paid is
 * read from the emulators' journals, and the functions' environment is checked before, during and after the calls.
 */
export async function runScenario(setup: ScenarioSetup): Promise<ScenarioResult> {
  const environment = checkEnvironment(setup);
  const tokens = new Map<User, string>();
  for (const user of USERS) tokens.set(user, await setup.tokenFor(user));
  const send: SendJson = (user, method, path, body) =>
    fetch(setup.url + path, {
      method,
      headers: { authorization: `Bearer ${tokens.get(user)}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  await environment.check();
  const stored: StoredKeys[] = [];
  for (const user of USERS) stored.push(await storeKeys(user, setup.keys, send));

  const checking = environment.checkRepeatedly();
  const answered = await Promise.all(
    planCalls().map(async (planned) => {
      const { path, body } = planned.kind;
      const response = await send(planned.user, 'POST', path, body(`Say hello. ${planned.marker}`));
      await response.arrayBuffer();
      return { ...planned, status: response.status };
    }),
  );
  await checking.stop();

  const { path, body, provider } = CALL_WITHOUT_KEY;
  const refused = await send('bob', 'POST', path, body('Say hello. [bob, without a key]'));
  const problem = Problem.safeParse(await refused.json().catch(() => undefined));
  const code = problem.success ? problem.data.code : 'no code';
  await environment.check();

  const paid = setup.paidCalls();
  const hints = new Map(stored.map((keys) => [keys.user, keys.hints]));
  const isRefused = refused.status === 403 && code === 'key_missing';
  return {
    stored,
    calls: answered.map((call) => checkCall(call, paid, hints.get(call.user))),
    refusal: {
      status: refused.status,
      code,
      ok: isRefused && !paid.some((payment) => payment.provider === provider),
    },
    environment: environment.result(),
  };
}

/** Whether every check of the scenario succeeded. */
export function passed({ stored, calls, refusal, environment }: ScenarioResult): boolean {
  return [...stored, ...calls, refusal, environment].every(({ ok }) => ok);
}

async function storeKeys(user: User, keys: IssuedKeys, send: SendJson): Promise<StoredKeys> {
  const hints = new Map<string, string>();
  let ok = true;
  for (const provider of KEYS_OF[user]) {
    const key = keys.issue(provider, user);
    const response = await send(user, 'PUT', `/api/keys/${provider}`, { key });
    const answer = await response.text();
    ok &&= response.status === 201 && answer.includes('"valid"') && !answer.includes(key);
    hints.set(provider, hintOf(key));
  }
  return { user, hints, ok };
}

function checkCall(
  call: PlannedCall & { readonly status: number },
  paid: readonly PaidCall[],
  hints: ReadonlyMap<string, string> | undefined,
): CheckedCall {
  const payments = paid.filter(({ body }) => body.includes(call.marker));
  const [payment, ...more] = payments;
  const { provider } = call.kind;
  const ok =
    call.status === 200 &&
    more.length === 0 &&
    payment?.provider === provider &&
    payment.owner === call.user &&
    payment.hint === hints?.get(provider);
  return { ...call, payments, ok };
}

const KEY_VARIABLES = new Set<string>(catalogue.flatMap(({ variables }) => variables));

/** Looks in the functions' environment for each issued key, and for every variable that could hold a provider key. */
function checkEnvironment(setup: ScenarioSetup) {
  let checks = 0;
  let clean = true;
  async function check(): Promise<void> {
    const variables = Object.entries(await setup.environment());
    const keys = setup.keys.all();
    checks += 1;
    clean &&= !variables.some(
      ([name, value]) => KEY_VARIABLES.has(name) || keys.some((key) => value.includes(key)),
    );
  }
  return {
    check,
    checkRepeatedly() {
      let stopped = false;
      const checking = (async () => {
        while (!stopped) await Promise.all([check(), delay(CHECK_INTERVAL_MS)]);
      })();
      return {
        stop() {
          stopped = true;
          return checking;
        },
      };
    },
    result: () => ({ checks, ok: clean }),
  };
}
