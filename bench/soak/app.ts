/** The app of the soak, with a legacy handler beside it, in one process. Forked by bench/soak.ts. */

// The line above must stay the first: it wraps the environment before other modules read it.
import { createWebServer } from '../../dev/http/create-web-server.ts';
import { LOOPBACK, listen } from '../../dev/http/listen.ts';
import { withUserEnv } from '../../lib/process-env/with-user-env.ts';
import { serve } from '../../lib/serve.ts';

const provider = process.env.OPENAI_BASE_URL ?? '';

/** Reads the key before and after it waits, and pays a call with it. Says whether the key was the same each time. */
const legacy = withUserEnv(async (request) => {
  const before = process.env.OPENAI_API_KEY;
  await new Promise((resolve) => setTimeout(resolve, 1));
  if (before === undefined) return Response.json({ same: process.env.OPENAI_API_KEY === undefined });
  const { search } = new URL(request.url);
  const answer = await fetch(`${provider}/v1/models${search}`, {
    headers: { authorization: `Bearer ${process.env.OPENAI_API_KEY}` },
  });
  await answer.arrayBuffer();
  return Response.json({ same: process.env.OPENAI_API_KEY === before });
});

const { GET: handle } = serve();
const server = createWebServer((request) =>
  new URL(request.url).pathname === '/legacy' ? legacy(request) : handle(request),
);
process.send?.(`http://${LOOPBACK}:${await listen(server)}`);

/** Any message asks for the bytes of the heap that are in use after a garbage collection. */
process.on('message', () => {
  globalThis.gc?.();
  process.send?.(process.memoryUsage().heapUsed);
});
process.once('disconnect', () => process.exit());
