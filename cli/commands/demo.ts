import { randomBytes } from 'node:crypto';
import { type Functions, type FunctionsEvent, startFunctions } from '../../dev/host/start-functions.ts';
import { DEV_AUDIENCE, type Issuer, startIssuer } from '../../dev/issuer/start-issuer.ts';
import { startKv } from '../../dev/kv/start-kv.ts';
import { onFreePort } from '../../dev/parts/on-free-port.ts';
import { createStopList, type StopList } from '../../dev/parts/stop-list.ts';
import { createIssuedKeys } from '../../dev/providers/issued-keys.ts';
import type { Payment } from '../../dev/providers/paywall.ts';
import { startProviders } from '../../dev/providers/start-providers.ts';
import { USERS } from '../../dev/scenario/planned-calls.ts';
import { passed, runScenario } from '../../dev/scenario/run-scenario.ts';
import { inheritedEnvironment } from '../../dev/settings/configuration.ts';
import { newVaultKeys } from '../../dev/settings/vault-keys.ts';
import { EXIT } from '../exit-codes.ts';
import { describeEvent } from '../terminal/describe-event.ts';
import { print, printAddresses, printCommands, printTitle } from '../terminal/print.ts';
import { stopRequested } from '../terminal/stop-signals.ts';
import { faint } from '../terminal/style.ts';
import type { DevOptions } from './dev.ts';
import { printScenario } from './print-scenario.ts';
import { AUTHORIZATION_HEADER, printTakenPort, tokenCommand } from './print-welcome.ts';

/** How many error lines are shown while the demo plays. */
const MAX_ERROR_LINES = 3;

/**
 * Runs the demo scenario against the real functions in production mode. Everything is started fresh and in memory;
 * the developer's configuration is ignored and the providers are emulated. Prints a report, then stays up so that
 * it can be tried. With `once` it exits after the report: with 1 if any check failed.
 */
export async function demo({
  root,
  port,
  once = false,
}: Pick<DevOptions, 'root' | 'port'> & { readonly once?: boolean | undefined }): Promise<number> {
  const startedAt = performance.now();
  const stops = createStopList();
  const kill: { functions?: Functions } = {};
  const stopping = stopRequested(() => kill.functions?.kill());
  try {
    printTitle('demo', 'two users, emulated providers; nothing leaves this machine');
    const keys = createIssuedKeys();
    const log = createEventLog();
    const { functions, issuer, providers } = await startDemo(root, port, keys, log, stops);
    kill.functions = functions;
    printTakenPort(functions.url, port);

    const playing = runScenario({
      url: functions.url,
      keys,
      tokenFor: (user) => issuer.sign(user),
      paidCalls: () => providers.paidCalls(),
      environment: () => functions.environment(),
    });
    const result = await Promise.race([playing, stopping]);
    if (!result) return EXIT.interrupted;
    printScenario(result, providers.maxConcurrent(), (performance.now() - startedAt) / 1000);
    if (once) return passed(result) ? EXIT.success : EXIT.failed;

    printNextSteps(functions.url, `${issuer.url}/token`);
    log.show();
    await stopping;
    print();
    print(faint('stopping …'));
    return EXIT.success;
  } finally {
    await stops.stopAll();
  }
}

async function startDemo(
  root: string,
  port: number,
  keys: ReturnType<typeof createIssuedKeys>,
  log: ReturnType<typeof createEventLog>,
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
    AUTH_AUDIENCE: DEV_AUDIENCE,
    VAULT_KEYS: newVaultKeys(),
    CRON_SECRET: randomBytes(24).toString('base64url'),
  };
  const functions = await onFreePort(port, (free) =>
    startFunctions({ root, port: free, env, onEvent: log.onEvent }),
  );
  stops.add(() => functions.close());
  return { functions, issuer, providers };
}

/** Before `show`, prints only the first few errors; afterwards every call, and whose key paid for it. */
function createEventLog() {
  let shown = false;
  let errors = 0;
  return {
    show() {
      shown = true;
      errors = 0;
    },
    onEvent(event: FunctionsEvent) {
      if (!shown && event.type === 'answered') return;
      const text = describeEvent(event);
      if (text === undefined) return;
      if (!shown) errors += 1;
      if (errors <= MAX_ERROR_LINES) print(text);
      else if (errors === MAX_ERROR_LINES + 1) print(faint('…'));
    },
    onPayment({ provider, owner, hint }: Payment) {
      if (shown) print(faint(`${provider} was paid with ${owner}’s key ${hint}`));
    },
  };
}

/** What to try after the report. */
function printNextSteps(url: string, tokenUrl: string): void {
  printAddresses([{ name: 'Page', url: `${url}/`, note: 'what alice and bob see in a browser' }]);
  const chat = `-H 'Content-Type: application/json' -d '{"model":"gpt-5-mini","messages":[{"role":"user","content":"Hello"}]}'`;
  printCommands('Try it: paste these commands into another terminal', [
    tokenCommand(tokenUrl),
    [
      'list her keys: only the last four characters are ever returned',
      `curl -sw '\\n' ${url}/api/keys ${AUTHORIZATION_HEADER}`,
    ],
    [
      'call OpenAI through the gateway',
      `curl -sw '\\n' ${url}/api/proxy/openai/v1/chat/completions ${AUTHORIZATION_HEADER} ${chat}`,
    ],
    [
      'save a made-up key: the provider rejects it, and her own key stays',
      `curl -sw '\\n' -X PUT ${url}/api/keys/openai ${AUTHORIZATION_HEADER} -d '{"key":"made-up"}'`,
    ],
    [
      'delete her Gemini key: the next call is refused',
      `curl -s -X DELETE ${url}/api/keys/gemini ${AUTHORIZATION_HEADER}; curl -sw '\\n' ${url}/api/generate ${AUTHORIZATION_HEADER} -d '{"provider":"gemini","prompt":"Hello"}'`,
    ],
  ]);
  print(faint('Ctrl-C ends the demo. Calls will be listed here, with whose key paid.'));
}
