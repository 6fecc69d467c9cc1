import { createServer as createHttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { LOOPBACK, listen } from '../http/listen.ts';
import { FunctionProcess } from './function-process.ts';
import type { FromFunctions } from './messages.ts';

/** How long requests may take to finish: in a process that was replaced, and in one that is to stop. */
const REPLACED_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 3_000;

export type Functions = {
  readonly url: string;
  /** Starts a new process with that environment. Requests under way finish in the old one. */
  restart(env: Readonly<Record<string, string>>): Promise<void>;
  /** The `process.env` of the running process. */
  environment(): Promise<Readonly<Record<string, string>>>;
  /** Waits for requests under way, three seconds by default, then ends everything. */
  close(deadlineMs?: number): Promise<void>;
  /** Ends everything at once. */
  kill(): void;
};

export type FunctionsOptions = {
  /** The project: where `api/` and `vercel.json` are. */
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  /** Default: the system picks one. A taken port rejects with `EADDRINUSE`. */
  readonly port?: number;
  readonly onEvent?: (event: FunctionsEvent) => void;
};

export type FunctionsEvent =
  | FromFunctions
  | { readonly type: 'output'; readonly line: string }
  | { readonly type: 'crashed'; readonly startsAgain: boolean }
  | { readonly type: 'not-started' };

/**
 * Runs the functions in a process of their own. This process keeps the port and passes each connection on, so that a
 * restart refuses no connection (`node --watch` does: docs/decisions/11-own-reload.md). Connections that arrive while
 * no process is ready wait for the next one. They are answered 503 when it does not start.
 */
export async function startFunctions(options: FunctionsOptions): Promise<Functions> {
  const { root, port, onEvent = () => {} } = options;
  const waiting: Socket[] = [];
  const running = new Set<FunctionProcess>();
  let env = options.env;
  let current: FunctionProcess | undefined;
  let starting: Promise<void> = Promise.resolve();
  let isStarting = false;
  let closed = false;

  const listener = createServer({ pauseOnConnect: true, noDelay: true }, (connection) => {
    connection.on('error', () => {});
    if (current) current.take(connection);
    else if (isStarting) waiting.push(connection);
    else answerUnavailable(connection);
  });

  function restart(nextEnv: Readonly<Record<string, string>>): Promise<void> {
    env = nextEnv;
    isStarting = true;
    starting = starting.then(replace);
    return starting;
  }

  async function replace(): Promise<void> {
    if (closed) return;
    isStarting = true;
    let hasAnswered = false;
    const next = await FunctionProcess.start(root, env, {
      onEvent(event) {
        hasAnswered ||= event.type === 'answered';
        onEvent(event);
      },
      onOutput: (line) => onEvent({ type: 'output', line }),
      onCrash: () => next && crashed(next, hasAnswered),
    });
    if (next) running.add(next);
    const former = current;
    current = next;
    isStarting = false;
    for (const connection of waiting.splice(0)) {
      if (next) next.take(connection);
      else answerUnavailable(connection);
    }
    if (next === undefined) onEvent({ type: 'not-started' });
    if (former) void former.stop(REPLACED_DEADLINE_MS).then(() => running.delete(former));
  }

  /** Starts it again, unless it crashed before it answered anything: then it would only crash again. */
  function crashed(process: FunctionProcess, startsAgain: boolean): void {
    running.delete(process);
    if (current !== process || closed) return;
    current = undefined;
    onEvent({ type: 'crashed', startsAgain });
    if (startsAgain) void restart(env);
  }

  const url = `http://${LOOPBACK}:${await listen(listener, port)}`;
  await restart(env);

  return {
    url,
    restart,
    async environment() {
      if (!current) throw new Error('The functions are not running.');
      return current.environment();
    },
    async close(deadlineMs = STOP_DEADLINE_MS) {
      closed = true;
      listener.close();
      await starting;
      for (const connection of waiting.splice(0)) answerUnavailable(connection);
      await Promise.all([...running].map((process) => process.stop(deadlineMs)));
    },
    kill() {
      closed = true;
      listener.close();
      for (const process of running) process.kill();
    },
  };
}

const unavailable = createHttpServer((_request, response) => {
  response.writeHead(503, { 'retry-after': '1', connection: 'close', 'content-type': 'text/plain' });
  response.end('The functions are not running. The terminal shows why.\n');
});

/** Answers one connection with 503, in this process. */
function answerUnavailable(connection: Socket): void {
  unavailable.emit('connection', connection);
  connection.resume();
}
