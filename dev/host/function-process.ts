import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { FromFunctions, type ToFunctions } from './messages.ts';

const ENTRY = fileURLToPath(new URL('functions.ts', import.meta.url));
/** How long after its deadline a process may take to end before it is killed. */
const KILL_AFTER_MS = 2_000;

export type FunctionEvents = {
  /** A message of the process, other than `ready` and `environment`. */
  readonly onEvent: (event: FromFunctions) => void;
  /** A line printed by a function, or by a crash. */
  readonly onOutput: (line: string) => void;
  /** The process ended without a call of `stop` or `kill`. */
  readonly onCrash: () => void;
};

/** One process that runs `functions.ts`. */
export class FunctionProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #stopping = false;

  private constructor(child: ChildProcess, events: FunctionEvents) {
    this.#child = child;
    this.#exited = once(child, 'exit');
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', events.onOutput);
    }
    child.on('message', (message) => {
      const event = FromFunctions.parse(message);
      if (event.type !== 'ready' && event.type !== 'environment') events.onEvent(event);
    });
    child.on('exit', () => {
      if (!this.#stopping) events.onCrash();
    });
  }

  /** Starts a process with exactly that environment. Undefined when it ended before it was ready. */
  static async start(
    root: string,
    env: Readonly<Record<string, string>>,
    events: FunctionEvents,
  ): Promise<FunctionProcess | undefined> {
    const child = fork(ENTRY, [root], { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [] });
    const started = new FunctionProcess(child, { ...events, onCrash: () => ready && events.onCrash() });
    let ready = false;
    ready = await Promise.race([once(child, 'message').then(() => true), started.#exited.then(() => false)]);
    return ready ? started : undefined;
  }

  /** Passes it a paused connection. */
  take(connection: Socket): void {
    this.#tell({ type: 'connection' }, connection);
  }

  /** Its current `process.env`. Rejects when the process ends before it has answered. */
  async environment(): Promise<Readonly<Record<string, string>>> {
    const child = this.#child;
    const answered = new Promise<Readonly<Record<string, string>>>((resolve) => {
      child.on('message', function onMessage(message) {
        const event = FromFunctions.parse(message);
        if (event.type !== 'environment') return;
        child.off('message', onMessage);
        resolve(event.variables);
      });
    });
    this.#tell({ type: 'environment' });
    const variables = await Promise.race([answered, this.#exited.then(() => undefined)]);
    if (variables === undefined) throw new Error('The functions process has ended.');
    return variables;
  }

  /** Lets requests under way finish until the deadline, then ends it. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    this.#tell({ type: 'drain', deadlineMs });
    const kill = setTimeout(() => this.kill(), deadlineMs + KILL_AFTER_MS);
    await this.#exited;
    clearTimeout(kill);
  }

  /** Ends it at once. */
  kill(): void {
    this.#stopping = true;
    this.#child.kill('SIGKILL');
  }

  #tell(message: ToFunctions, connection?: Socket): void {
    if (!this.#child.connected) {
      connection?.destroy();
      return;
    }
    this.#child.send(message, connection, { keepOpen: false }, (error) => {
      if (error) connection?.destroy();
    });
  }
}
