// The commands of the embedded engine: js-redis-server's, with what it does not understand made up for.

import {
  type CommandDefinition,
  type CommandRegistry,
  createRedisCommandRegistry,
} from 'js-redis-server/core';

/** How many words may stand between the key and the trimming: `NOMKSTREAM`. */
const MAX_WORDS_BEFORE_TRIMMING = 1;

/** `MAXLEN = 10` is what the client sends for `MAXLEN 10`; js-redis-server 0.3 knows only the latter and `~`. */
export function embeddedCommands(): CommandRegistry {
  const registry = createRedisCommandRegistry();
  for (const name of ['xadd', 'xtrim']) {
    const definition = registry.get(name);
    if (definition === undefined) throw new Error(`js-redis-server has no ${name}`);
    registry.override(withoutExactSign(definition));
  }
  return registry;
}

function withoutExactSign(definition: CommandDefinition): CommandDefinition {
  return {
    ...definition,
    schema: {
      parse: (words, index, context) =>
        definition.schema.parse(dropExactSign(words, index + 1), index, context),
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
