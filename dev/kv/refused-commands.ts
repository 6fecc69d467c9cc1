// Commands that are refused over REST, as Upstash refuses them: they block, they change the state of a connection, or
// they are about the server and not about the data.

import { type Command, CommandError } from './engine.ts';

const WAITS = 'BLPOP BRPOP BLMOVE BLMPOP BRPOPLPUSH BZPOPMIN BZPOPMAX BZMPOP WAIT WAITAOF';
const SUBSCRIBES =
  'SUBSCRIBE UNSUBSCRIBE PSUBSCRIBE PUNSUBSCRIBE SSUBSCRIBE SUNSUBSCRIBE MONITOR SYNC PSYNC REPLCONF';
const HOLDS_THE_CONNECTION =
  'MULTI EXEC DISCARD WATCH UNWATCH AUTH HELLO RESET QUIT SELECT CLIENT READONLY READWRITE ASKING';
const REACHES_THE_SERVER =
  'SHUTDOWN CONFIG DEBUG SAVE BGSAVE BGREWRITEAOF REPLICAOF SLAVEOF FAILOVER CLUSTER MODULE ACL LATENCY ' +
  'SLOWLOG FUNCTION FCALL FCALL_RO SWAPDB MOVE MIGRATE';

const REASONS = new Map(
  [
    [WAITS, 'it waits, and a request over REST is answered at once'],
    [SUBSCRIBES, 'it needs a connection that stays open'],
    [
      HOLDS_THE_CONNECTION,
      'a request over REST has no connection of its own; for a transaction use /multi-exec',
    ],
    [REACHES_THE_SERVER, 'it is about the server, not about the data'],
  ].flatMap(([names = '', reason = '']) => names.split(' ').map((name): [string, string] => [name, reason])),
);

/** Why a command is not run over REST, or undefined when it may run. */
export function refusal(command: Command): CommandError | undefined {
  const name = String(command[0]).toUpperCase();
  const waits = (name === 'XREAD' || name === 'XREADGROUP') && optionsOf(command).includes('BLOCK');
  const reason = waits ? REASONS.get('BLPOP') : REASONS.get(name);
  return reason === undefined
    ? undefined
    : new CommandError(`ERR Command is not available: '${name}': ${reason}`);
}

/** The words before the keys. A stream that is called `block` is not the option. */
function optionsOf(command: Command): string[] {
  const words = command.slice(1).map((argument) => String(argument).toUpperCase());
  return words.slice(0, words.indexOf('STREAMS'));
}
