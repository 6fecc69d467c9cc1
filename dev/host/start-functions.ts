import { createServer as createHttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { LOOPBACK, listen } from '../http/listen.ts';
import { FunctionProcess } from './function-process.ts';
import type { FromFunctions } from './messages.ts';

/** How long a request may go on in a process that has been replaced, and in one that is to stop. */
const REPLACED_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 3_000;

export type Functions = {
  readonly url: string;
  /** Puts a new process in place, with that environment. Requests in flight finish in the old one. */
  restart(env: Readonly<Record<string, string>>): Promise<void>;
  /** The `process.env` of the running process. */
  environment(): Promise<Readonly<Record<string, string>>>;
  /** Lets requests in flight finish for that long, three seconds by default, then ends everything. */
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
 * Runs the functions in a process of their own. The port stays with this process, so a restart refuses no
 * connection: those that come while no process is ready wait for the next one, and when it does not start, are
 * answered 503.
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
    else apologize(connection);
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
      else apologize(connection);
    }
    if (next === undefined) onEvent({ type: 'not-started' });
    if (former) void former.stop(REPLACED_DEADLINE_MS).then(() => running.delete(former));
  }

  /** One that has answered something is started again; one that has not would only crash again. */
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
      for (const connection of waiting.splice(0)) apologize(connection);
      await Promise.all([...running].map((process) => process.stop(deadlineMs)));
    },
    kill() {
      closed = true;
      listener.close();
      for (const process of running) process.kill();
    },
  };
}

const apology = createHttpServer((_request, response) => {
  response.writeHead(503, { 'retry-after': '1', connection: 'close', 'content-type': 'text/plain' });
  response.end('The functions are not running. The terminal shows why.\n');
});

/** Answers one connection in this process. */
function apologize(connection: Socket): void {
  apology.emit('connection', connection);
  connection.resume();
}
