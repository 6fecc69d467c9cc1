import type { Ask } from './kv.ts';

/** Asks for nothing, where something could be asked for. */
export const nothing: Ask<undefined> = { commands: 0, add: () => {}, read: () => undefined };
