import type { Ask } from './kv.ts';

/** Any number of asks that travel in one request, in order. */
export function askAll<T>(asks: readonly Ask<T>[]): Ask<readonly T[]> {
  return {
    commands: asks.reduce((sum, { commands }) => sum + commands, 0),
    add(batch) {
      for (const ask of asks) ask.add(batch);
    },
    read(results) {
      let from = 0;
      return asks.map((ask) => {
        const own = results.slice(from, from + ask.commands);
        from += ask.commands;
        return ask.read(own);
      });
    },
  };
}
