import { randomBytes } from 'node:crypto';
import { type Functions, type FunctionsEvent, startFunctions } from '../host/start-functions.ts';
import { type Issuer, startIssuer } from '../issuer/start-issuer.ts';
import { startKv } from '../kv/start-kv.ts';
import { onFreePort } from '../parts/on-free-port.ts';
import { createStopList, type StopList } from '../parts/stop-list.ts';
import { createIssuedKeys } from '../providers/issued-keys.ts';
import type { Payment } from '../providers/paywall.ts';
import { startProviders } from '../providers/start-providers.ts';
import { USERS } from '../scenario/planned-calls.ts';
import { printScenario } from '../scenario/print-scenario.ts';
import { passed, runScenario } from '../scenario/run-scenario.ts';
import { inheritedEnvironment } from '../settings/configuration.ts';
import { newVaultKeys } from '../settings/vault-keys.ts';
import { describeEvent } from '../terminal/describe-event.ts';
import { print, printTitle } from '../terminal/print.ts';
import { stopRequested } from '../terminal/stop-signals.ts';
import { faint } from '../terminal/style.ts';
import type { CommandOptions } from './command-options.ts';
import { inviteNewcomer } from './invite-newcomer.ts';
import { noteTakenPort } from './note-taken-port.ts';

/** 128 + SIGINT: interrupted before the scenario was printed. */
const INTERRUPTED_EXIT_CODE = 130;
const MOST_COMPLAINTS = 3;

/**
 * `npm run demo`: the whole thing on a closed stage. Everything is started fresh, in memory, from no
 * configuration of the developer's; the functions run in production mode; the providers are emulated. It plays
 * the result, tells it, and stays up to be tried, or with `once` leaves: with 1 when anything was not as promised.
 */
export async function demo({ root, port }: CommandOptions, once: boolean): Promise<number> {
  const startedAt = performance.now();
  const stops = createStopList();
  const kill: { functions?: Functions } = {};
  const stopping = stopRequested(() => kill.functions?.kill());
  try {
    printTitle('demo', 'two users, emulated providers; nothing leaves this machine');
    const keys = createIssuedKeys();
    const log = createLog();
    const { functions, issuer, providers } = await startStage(root, port, keys, log, stops);
    kill.functions = functions;
    noteTakenPort(functions.url, port);

    const playing = runScenario({
      url: functions.url,
      keys,
      tokenFor: (user) => issuer.sign(user),
      paidCalls: () => providers.paidCalls(),
      environment: () => functions.environment(),
    });
    const result = await Promise.race([playing, stopping]);
    if (!result) return INTERRUPTED_EXIT_CODE;
    printScenario(result, providers.maxConcurrent(), (performance.now() - startedAt) / 1000);
    if (once) return passed(result) ? 0 : 1;

    inviteNewcomer(functions.url, `${issuer.url}/token`);
    log.show();
    await stopping;
    print();
    print(faint('stopping …'));
    return 0;
  } finally {
    await stops.stopAll();
  }
}

async function startStage(
  root: string,
  port: number,
  keys: ReturnType<typeof createIssuedKeys>,
  log: ReturnType<typeof createLog>,
  stops: StopList,
): Promise<{
  functions: Functions;
  issuer: Issuer;
  providers: Awaited<ReturnType<typeof startProviders>>;
}> {
  const issuer = await onFreePort(port === 0 ? 0 : port + 1, (free) =>
    startIssuer({ users: USERS, port: free }),
  );
  stops.add(() => issuer.close());
  const kv = await startKv();
  stops.add(() => kv.close());
  const providers = await startProviders(keys, log.onPayment);
  stops.add(() => providers.close());
  const env = {
    ...inheritedEnvironment(),
    ...providers.env,
    DEPLOY_ENV: 'demo',
    KV_REST_API_URL: kv.url,
    KV_REST_API_TOKEN: kv.token,
    AUTH_ISSUER: issuer.url,
    VAULT_KEYS: newVaultKeys(),
    CRON_SECRET: randomBytes(24).toString('base64url'),
  };
  const functions = await onFreePort(port, (free) =>
    startFunctions({ root, port: free, env, onEvent: log.onEvent }),
  );
  stops.add(() => functions.close());
  return { functions, issuer, providers };
}

/** While the scenario runs it shows only what goes wrong, and not all of it; afterwards every call and who paid. */
function createLog() {
  let shown = false;
  let complaints = 0;
  return {
    show() {
      shown = true;
      complaints = 0;
    },
    onEvent(event: FunctionsEvent) {
      if (!shown && event.type === 'answered') return;
      const text = describeEvent(event);
      if (text === undefined) return;
      complaints += shown ? 0 : 1;
      if (complaints <= MOST_COMPLAINTS) print(text);
      else if (complaints === MOST_COMPLAINTS + 1) print(faint('…'));
    },
    onPayment({ provider, owner, hint }: Payment) {
      if (shown) print(faint(`${provider} was paid with ${owner}’s key ${hint}`));
    },
  };
}
