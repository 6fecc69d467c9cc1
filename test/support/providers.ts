import { createServer } from 'node:http';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';
import { type ProviderId, providerIds } from '../../lib/providers/catalogue.ts';
import { type Answer, usual } from './answers.ts';
import { type RecordedCall, recordCall } from './recorded-call.ts';

export type TestProviders = {
  /** Every received call, in order of arrival. */
  readonly calls: readonly RecordedCall[];
  /** `OPENAI_BASE_URL` and so on, for every provider of the catalogue: no test reaches a real one. */
  readonly env: Readonly<Record<string, string>>;
  origin(provider: ProviderId): string;
  /** Sets how one provider, or all of them, answer from now on. */
  answerWith(answer: Answer, provider?: ProviderId): void;
  /** Sets the answer to the next call to any provider. Several answers are queued. */
  answerNextWith(answer: Answer): void;
  /** Clears the recorded calls and restores the usual answers. */
  reset(): void;
  close(): Promise<void>;
};

/** One recording server for each provider of the catalogue, each on a port the system picks. */
export async function startTestProviders(): Promise<TestProviders> {
  const calls: RecordedCall[] = [];
  const answers = new Map<ProviderId, Answer>();
  const queue: Answer[] = [];

  const running = await Promise.all(
    providerIds.map(async (provider) => {
      const server = createServer(async (incoming, outgoing) => {
        const call = recordCall(provider, incoming, outgoing);
        calls.push(call);
        const answer = queue.shift() ?? answers.get(provider) ?? usual;
        await answer(call, outgoing);
      });
      const origin = `http://${LOOPBACK}:${await listen(server)}`;
      return { provider, server, origin };
    }),
  );
  const origins = new Map(running.map(({ provider, origin }) => [provider, origin]));

  return {
    calls,
    env: Object.fromEntries(
      running.map(({ provider, origin }) => [`${provider.toUpperCase()}_BASE_URL`, origin]),
    ),
    origin: (provider) => origins.get(provider) ?? '',
    answerWith(answer, only) {
      for (const provider of only === undefined ? providerIds : [only]) answers.set(provider, answer);
    },
    answerNextWith: (answer) => void queue.push(answer),
    reset() {
      calls.length = 0;
      queue.length = 0;
      answers.clear();
    },
    async close() {
      await Promise.all(running.map(({ server }) => closeServer(server)));
    },
  };
}
