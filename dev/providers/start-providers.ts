/** Emulated providers for the demo: `@copilotkit/aimock` behind a check of the key. No request leaves this machine. */
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { LLMock } from '@copilotkit/aimock';
import { baseUrlVariable } from '../../lib/config.ts';
import { type ProviderId, providerIds } from '../../lib/providers/catalogue.ts';
import { LOOPBACK } from '../http/listen.ts';
import type { IssuedKeys } from './issued-keys.ts';
import { answer, createPaywall, type Payment, type Paywall } from './paywall.ts';

/** The providers of the demo's scenario. One more emulator, which knows no key, stands for all others. */
const EMULATED: readonly ProviderId[] = ['openai', 'anthropic', 'gemini', 'exa'];
/** The delay before each answer, so that calls overlap. */
const ANSWER_DELAY_MS = 400;
const JOURNAL_ENTRIES = 2_000;

export type PaidCall = Payment & {
  /** The request body that the provider received. */
  readonly body: string;
};

export type EmulatedProviders = {
  /** `OPENAI_BASE_URL` and so on, for every provider of the catalogue. */
  readonly env: Readonly<Record<string, string>>;
  /** Every call in the emulators' journals, with the owner of the key that paid for it. */
  paidCalls(): readonly PaidCall[];
  /** The largest number of requests that were open at the same time. */
  maxConcurrent(): number;
  close(): Promise<void>;
};

type Emulator = {
  readonly provider: ProviderId;
  readonly url: string;
  readonly paywall: Paywall;
  bodyOf(requestId: string): string;
  close(): Promise<void>;
};

/**
 * Starts an emulator for each provider of the scenario, on ports the system picks. They accept the issued keys and
 * call `onPayment` for each paid call.
 */
export async function startProviders(
  keys: IssuedKeys,
  onPayment: (payment: Payment) => void = () => {},
): Promise<EmulatedProviders> {
  let open = 0;
  let max = 0;
  const onPaidCall: OnPaidCall = (payment, ended) => {
    onPayment(payment);
    open += 1;
    max = Math.max(max, open);
    ended(() => {
      open -= 1;
    });
  };
  const emulators = await Promise.all(EMULATED.map((provider) => startEmulator(provider, keys, onPaidCall)));
  const others = await startEmulator('openai', { ...keys, ownerOf: () => undefined }, onPaidCall);
  const urlOf = (id: ProviderId) => (emulators.find(({ provider }) => provider === id) ?? others).url;
  return {
    env: Object.fromEntries(providerIds.map((id) => [baseUrlVariable(id), urlOf(id)])),
    paidCalls: () =>
      emulators.flatMap(({ paywall, bodyOf }) =>
        paywall.payments.map((payment) => ({ ...payment, body: bodyOf(payment.requestId) })),
      ),
    maxConcurrent: () => max,
    async close() {
      await Promise.all([...emulators, others].map((emulator) => emulator.close()));
    },
  };
}

/** Called at the start of each paid call, with a function that registers a listener for its end. */
type OnPaidCall = (payment: Payment, ended: (listener: () => void) => void) => void;

async function startEmulator(
  provider: ProviderId,
  keys: IssuedKeys,
  onPaidCall: OnPaidCall,
): Promise<Emulator> {
  const searches = new Map<string, string>();
  const paywall = createPaywall(provider, keys, async (incoming, outgoing, payment) => {
    onPaidCall(payment, (listener) => outgoing.once('close', listener));
    await delay(ANSWER_DELAY_MS);
    if (provider !== 'exa') return false;
    const { requestId } = payment;
    searches.set(requestId, await textOf(incoming));
    const results = [{ id: '1', url: 'https://example.com/', title: 'A result of the emulated Exa' }];
    return answer(outgoing, 200, { requestId, results });
  });
  const mock = new LLMock({
    host: LOOPBACK,
    port: 0,
    logLevel: 'silent',
    journalMaxEntries: JOURNAL_ENTRIES,
  });
  mock.onMessage(/.*/, { content: `Hello from the emulated ${provider}.` });
  mock.mount('', paywall.mountable);
  await mock.start();
  return {
    provider,
    url: mock.url,
    paywall,
    bodyOf(requestId) {
      const entry = mock.getRequests().find(({ headers }) => headers['x-request-id'] === requestId);
      return searches.get(requestId) ?? JSON.stringify(entry?.body ?? '');
    },
    close: () => mock.stop(),
  };
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of incoming.setEncoding('utf8')) text += String(chunk);
  return text;
}
