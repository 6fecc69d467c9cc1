// The engine where no Redis is installed: js-redis-server in this process, for the answers, and our own log,
// for keeping the data.

import { join } from 'node:path';
import {
  ClientSession,
  CommandExecutor,
  encodeRedisValue,
  isResponseStream,
  RedisCommandError,
  RedisServerState,
  type RedisValue,
} from 'js-redis-server/core';
import { AppendLog, readLog } from './append-log.ts';
import { lockDirectory } from './directory-lock.ts';
import { embeddedCommands } from './embedded-commands.ts';
import { type Command, CommandError, discarded, type Engine, type Reply } from './engine.ts';
import { KeptData } from './kept-data.ts';

export const EMBEDDED_LOG = 'embedded.log';

/**
 * Opens the data in `dataDirectory`, which must exist, or keeps nothing without one. Throws when another
 * process holds the directory or its log is damaged.
 */
export async function openEmbeddedEngine(options: { dataDirectory: string | undefined }): Promise<Engine> {
  const state = new RedisServerState({ databaseCount: 1 });
  const store =
    options.dataDirectory === undefined ? undefined : await openStore(state, options.dataDirectory);
  const executor = new CommandExecutor({ registry: embeddedCommands() });
  const session = new ClientSession({ server: state, executor });
  let lastBatch: Promise<unknown> = Promise.resolve();

  /** Runs one batch while no other runs. What it changed is handed to the log before the next one starts. */
  async function runBatch(commands: readonly Command[], atomic: boolean) {
    const broken = atomic ? firstThatCannotRun(executor, commands) : undefined;
    const replies: Reply[] = [];
    for (const command of broken ? [] : commands) replies.push(await run(session, command));
    const kept = store?.keepChanges();
    // Awaited by the caller, outside of the batch; a failure in the meantime must not count as unhandled.
    kept?.catch(() => {});
    return { answer: broken ?? replies, kept };
  }

  return {
    async execute(commands, { atomic }) {
      const batch = lastBatch.then(() => runBatch(commands, atomic));
      lastBatch = batch.catch(() => {});
      const { answer, kept } = await batch;
      await kept;
      return answer;
    },
    async close() {
      await lastBatch;
      session.close();
      state.close();
      await store?.close();
    },
  };
}

async function openStore(state: RedisServerState, directory: string) {
  const unlock = lockDirectory(directory);
  try {
    const path = join(directory, EMBEDDED_LOG);
    const data = new KeptData();
    for (const change of await readLog(path)) data.apply(change);
    const database = state.getDatabase(0);
    data.restoreInto(database);
    database.subscribe((event) => data.observe(event));
    const log = await AppendLog.open({ path, snapshot: () => data.asChanges() });
    return {
      keepChanges: () => log.keep(data.takeChanges()),
      close: () => log.close().finally(unlock),
    };
  } catch (error) {
    state.close();
    unlock();
    throw error;
  }
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
