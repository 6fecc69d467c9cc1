import { fork } from 'node:child_process';
import { once } from 'node:events';
import { z } from 'zod';

const message = z.object({
  /** The configuration of a gateway. */
  env: z.record(z.string(), z.string()),
  /** The origin of the provider. */
  provider: z.string(),
  /** One token a user. */
  tokens: z.array(z.string()).min(1),
  redisUrl: z.string(),
});

const totals = z.object({
  requests: z.int(),
  commands: z.int(),
  bytesIn: z.int(),
  bytesOut: z.int(),
});

export type Fixtures = z.infer<typeof message> & {
  /** What has passed to KV so far. */
  kvTotals(): Promise<z.infer<typeof totals>>;
  end(): Promise<void>;
};

/** Starts the KV store, the issuer and the provider, with a stored key for each of these users. */
export async function startFixtures(users: number): Promise<Fixtures> {
  const child = fork(new URL('fixtures.ts', import.meta.url), [String(users)], { execArgv: [] });
  const exited = once(child, 'exit');
  const started = once(child, 'message');
  const failed = exited.then(() => {
    throw new Error('The fixtures did not start.');
  });
  const [sent] = await Promise.race([started, failed]);
  failed.catch(() => undefined);
  return {
    ...message.parse(sent),
    async kvTotals() {
      const answered = once(child, 'message');
      child.send('totals');
      const [answer] = await answered;
      return totals.parse(answer);
    },
    async end() {
      child.disconnect();
      await exited;
    },
  };
}
