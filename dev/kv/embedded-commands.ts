// The commands of the embedded engine: those of js-redis-server, changed where they differ from Redis in a way that
// matters here. Scripts use the same commands.

import {
  type CommandDefinition,
  type CommandRegistry,
  createRedisCommandRegistry,
  RedisResult,
} from 'js-redis-server/core';

const STREAM_TRIMMERS = ['xadd', 'xtrim'];
/** js-redis-server 0.3 refuses these in scripts. Redis does not. */
const RANDOM = ['spop', 'srandmember', 'hrandfield'];
/** js-redis-server does not report these as changes, so they would be lost at the next start. */
const NOT_KEPT = ['xsetid', 'xgroup', 'xreadgroup', 'xack', 'xclaim', 'xautoclaim'];

/** Words between a stream's key and `MAXLEN` or `MINID`: `NOMKSTREAM`. */
const MAX_WORDS_BEFORE_TRIMMING = 1;

export function embeddedCommands(): CommandRegistry {
  const registry = createRedisCommandRegistry();
  function change(
    names: readonly string[],
    changed: (definition: CommandDefinition) => CommandDefinition,
  ): void {
    for (const name of names) {
      const definition = registry.get(name);
      if (definition === undefined) throw new Error(`js-redis-server has no ${name}`);
      registry.override(changed(definition));
    }
  }
  change(STREAM_TRIMMERS, withExactSign);
  change(RANDOM, (definition) => ({
    ...definition,
    flags: definition.flags.filter((flag) => flag !== 'noscript'),
  }));
  change(NOT_KEPT, (definition) => ({
    ...definition,
    execute: () =>
      RedisResult.error(
        `Command is not available: '${definition.name.toUpperCase()}': the embedded engine does not keep its effect`,
        'ERR',
      ),
  }));
  return registry;
}

/** `MAXLEN = 10` is what the client sends for `MAXLEN 10`; js-redis-server knows only the latter and `~`. */
function withExactSign(definition: CommandDefinition): CommandDefinition {
  return {
    ...definition,
    schema: {
      parse: (words, index, context) => {
        const understood = dropExactSign(words, index + 1);
        const { value, nextIndex } = definition.schema.parse(understood, index, context);
        return { value, nextIndex: nextIndex + words.length - understood.length };
      },
    },
  };
}

function dropExactSign(words: readonly Buffer[], afterKey: number): readonly Buffer[] {
  const trimming = words
    .slice(afterKey, afterKey + MAX_WORDS_BEFORE_TRIMMING + 1)
    .findIndex((word) => /^(MAXLEN|MINID)$/i.test(word.toString()));
  const sign = afterKey + trimming + 1;
  return trimming !== -1 && words[sign]?.toString() === '=' ? words.toSpliced(sign, 1) : words;
}
