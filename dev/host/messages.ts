/** Messages between the command and its functions process, over the IPC channel of a child process. */
import { z } from 'zod';

/** To the functions process. `connection` travels together with a socket. */
export const ToFunctions = z.discriminatedUnion('type', [
  z.object({ type: z.literal('connection') }),
  z.object({ type: z.literal('drain'), deadlineMs: z.number() }),
  z.object({ type: z.literal('environment') }),
]);
export type ToFunctions = z.infer<typeof ToFunctions>;

/** From the functions process. */
export const FromFunctions = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('load-failed'), file: z.string(), message: z.string() }),
  z.object({
    type: z.literal('answered'),
    method: z.string(),
    /** Without the query, which may hold a credential. */
    path: z.string(),
    status: z.number(),
    durationMs: z.number(),
  }),
  z.object({ type: z.literal('environment'), variables: z.record(z.string(), z.string()) }),
]);
export type FromFunctions = z.infer<typeof FromFunctions>;
