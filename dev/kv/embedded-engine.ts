// An engine without Redis: js-redis-server runs the commands in this process, and SQLite keeps the data.

import {
  ClientSession,
  CommandExecutor,
  encodeRedisValue,
  isResponseStream,
  RedisCommandError,
  RedisServerState,
  type RedisValue,
} from 'js-redis-server/core';
import { embeddedCommands } from './embedded-commands.ts';
import { type Command, CommandError, discarded, type Engine, type Reply } from './engine.ts';
import { SqliteStore } from './sqlite-store.ts';

/**
 * Opens the data in `dataDirectory`, which must exist, or keeps nothing without one. Throws when another process
 * has the data open, when it is damaged, and when another version wrote it.
 */
export function openEmbeddedEngine(options: { dataDirectory: string | undefined }): Engine {
  const { dataDirectory } = options;
  const state = new RedisServerState({ databaseCount: 1 });
  const store =
    dataDirectory === undefined ? undefined : SqliteStore.open(dataDirectory, state.getDatabase(0));
  const executor = new CommandExecutor({ registry: embeddedCommands() });
  const session = new ClientSession({ server: state, executor });
  let lastBatch: Promise<unknown> = Promise.resolve();
  let failure: Error | undefined;

  /** Runs one batch while no other runs, and keeps what it changed before the next one starts. */
  async function runBatch(commands: readonly Command[], atomic: boolean): Promise<Reply[] | CommandError> {
    if (failure) throw failure;
    const broken = atomic ? firstThatCannotRun(executor, commands) : undefined;
    if (broken) return broken;
    const replies: Reply[] = [];
    for (const command of commands) replies.push(await run(session, command));
    try {
      store?.save();
    } catch (cause) {
      // What is in memory is now ahead of what is kept.
      failure = new Error('The KV cannot write its data; it answers nothing until it is restarted.', {
        cause,
      });
      throw failure;
    }
    return replies;
  }

  return {
    execute(commands, { atomic }) {
      const batch = lastBatch.then(() => runBatch(commands, atomic));
      lastBatch = batch.catch(() => {});
      return batch;
    },
    async close() {
      await lastBatch;
      session.close();
      state.close();
      store?.close();
    },
  };
}

function firstThatCannotRun(
  executor: CommandExecutor,
  commands: readonly Command[],
): CommandError | undefined {
  for (const command of commands) {
    const [name = '', ...args] = command.map(toBuffer);
    try {
      executor.plan(name, args);
    } catch (error) {
      return discarded(errorText(error));
    }
  }
  return undefined;
}

async function run(session: ClientSession, command: Command): Promise<Reply> {
  const [name = '', ...args] = command.map(toBuffer);
  try {
    const result = await session.execute(name, args);
    if (!isResponseStream(result)) return toReply(result.value);
    result.close('not over REST');
    return new CommandError(`ERR Command is not available: '${name}'`);
  } catch (error) {
    return new CommandError(errorText(error));
  }
}

function errorText(error: unknown): string {
  if (error instanceof RedisCommandError) return `${error.code} ${error.message}`;
  return `ERR ${error instanceof Error ? error.message : error}`;
}

function toBuffer(argument: string | Buffer): Buffer {
  return typeof argument === 'string' ? Buffer.from(argument) : argument;
}

function toReply(value: RedisValue): Reply {
  switch (value.kind) {
    case 'null':
    case 'null-array':
      return null;
    case 'simple-string':
      return value.value;
    case 'bulk-string':
    case 'verbatim':
      return value.value;
    case 'integer':
      return Number(value.value);
    case 'boolean':
      return value.value ? 1 : 0;
    case 'double':
    case 'big-number':
      return Buffer.from(encodeRedisValue(value).toString().split('\r\n')[1] ?? '');
    case 'error':
      return new CommandError(encodeRedisValue(value).toString().slice(1).trimEnd());
    case 'array':
    case 'set':
      return value.items.map(toReply);
    case 'push':
      return [Buffer.from(value.name), ...value.items.map(toReply)];
    case 'map':
    case 'flat-pairs':
      return value.entries.flatMap(([key, content]) => [toReply(key), toReply(content)]);
    case 'map-pairs':
      return value.entries.map(([key, content]) => [toReply(key), toReply(content)]);
  }
}
