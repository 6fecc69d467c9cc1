/** Emulated providers for the demo: `@copilotkit/aimock` behind a till. No request leaves this machine. */
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { LLMock } from '@copilotkit/aimock';
import { baseUrlVariable } from '../../lib/config.ts';
import { type ProviderId, providerIds } from '../../lib/providers/catalogue.ts';
import { LOOPBACK } from '../http/listen.ts';
import type { KeyBook } from './key-book.ts';
import { answer, createTill, type Payment, type Till } from './till.ts';

/** Those of the story; every other provider of the catalogue is one that knows no key. */
const EMULATED: readonly ProviderId[] = ['openai', 'anthropic', 'gemini', 'exa'];
/** How long they think before they answer, so that calls overlap. */
const THINKING_MS = 400;
const JOURNAL_ENTRIES = 2_000;

export type PaidCall = Payment & {
  /** What was asked, as the provider was sent it. */
  readonly asked: string;
};

export type EmulatedProviders = {
  /** `OPENAI_BASE_URL` and so on, for every provider of the catalogue. */
  readonly env: Readonly<Record<string, string>>;
  /** What the emulators have journalled: every call, and whose key paid for it. */
  paidCalls(): readonly PaidCall[];
  /** The most requests they were answering at one moment. */
  mostAtOnce(): number;
  close(): Promise<void>;
};

type Emulator = {
  readonly provider: ProviderId;
  readonly url: string;
  readonly till: Till;
  asked(requestId: string): string;
  close(): Promise<void>;
};

/**
 * Starts an emulator for each provider of the story, on ports the system picks. They accept the keys of the book
 * and tell `onPayment` of each call they are paid for.
 */
export async function startProviders(
  keys: KeyBook,
  onPayment: (payment: Payment) => void = () => {},
): Promise<EmulatedProviders> {
  let open = 0;
  let most = 0;
  const begin: Begin = (payment, ended) => {
    onPayment(payment);
    open += 1;
    most = Math.max(most, open);
    ended(() => {
      open -= 1;
    });
  };
  const emulators = await Promise.all(EMULATED.map((provider) => startEmulator(provider, keys, begin)));
  const others = await startEmulator('openai', { ...keys, ownerOf: () => undefined }, begin);
  const urlOf = (id: ProviderId) => (emulators.find(({ provider }) => provider === id) ?? others).url;
  return {
    env: Object.fromEntries(providerIds.map((id) => [baseUrlVariable(id), urlOf(id)])),
    paidCalls: () =>
      emulators.flatMap(({ till, asked }) =>
        till.payments.map((payment) => ({ ...payment, asked: asked(payment.requestId) })),
      ),
    mostAtOnce: () => most,
    async close() {
      await Promise.all([...emulators, others].map((emulator) => emulator.close()));
    },
  };
}

/** Told of each paid call, and handed what to call when it has ended. */
type Begin = (payment: Payment, ended: (listener: () => void) => void) => void;

async function startEmulator(provider: ProviderId, keys: KeyBook, begin: Begin): Promise<Emulator> {
  const searches = new Map<string, string>();
  const till = createTill(provider, keys, async (incoming, outgoing, payment) => {
    begin(payment, (listener) => outgoing.once('close', listener));
    await delay(THINKING_MS);
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
  mock.mount('', till.mountable);
  await mock.start();
  return {
    provider,
    url: mock.url,
    till,
    asked(requestId) {
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
