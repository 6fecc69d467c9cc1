/**
 * Names scripts by their SHA-1 once the store has run them, so that no source travels with every call.
 *
 * A store may lose its scripts at any time: it restarts, or it drops those that were not used for long. It then answers
 * `NOSCRIPT` and the commands are sent again with the source. That is safe because a script is only named where it is
 * the only command that can write: `EVALSHA` of an unknown script does nothing, and the other commands only read.
 */
import { MAX_SCRIPT_COUNT, MAX_SCRIPT_LOSS_COUNT } from '../limits.ts';

type Command = readonly [name: string, ...args: unknown[]];
export type Commands = readonly Command[];

/** One answer a command: its result, or its error. */
export type CommandAnswer = { readonly result?: unknown; readonly error?: string };
export type SendCommands = (commands: Commands) => Promise<readonly CommandAnswer[]>;

/** Commands that change nothing. A command that is missing here costs no promise: its script travels with its source. */
const READS = new Set([
  ...['exists', 'get', 'mget', 'hget', 'hmget', 'hgetall', 'hlen', 'smembers', 'sismember'],
  ...['scan', 'xrevrange'],
]);

type KnownScript = {
  /** Undefined while it is computed. */
  sha: string | undefined;
  /** Whether the store has run the script and not lost it since. */
  isStored: boolean;
  losses: number;
};

/**
 * Sends commands with `send`, and scripts that the store has by name. Costs a second request only where the store has
 * lost a script. A store that loses the same script again and again gets its source with every call.
 */
export function cacheScripts(send: SendCommands): SendCommands {
  const known = new Map<string, KnownScript>();

  function noteStored(source: string): void {
    const script = known.get(source);
    if (script !== undefined) {
      script.isStored = script.losses < MAX_SCRIPT_LOSS_COUNT;
      return;
    }
    if (known.size >= MAX_SCRIPT_COUNT) return;
    const added: KnownScript = { sha: undefined, isStored: true, losses: 0 };
    known.set(source, added);
    void sha1(source).then((sha) => {
      added.sha = sha;
    });
  }

  /** Of several calls that were under way when the store lost the script, one counts. */
  function noteLost(script: KnownScript): void {
    if (script.isStored) script.losses += 1;
    script.isStored = false;
  }

  return async (commands) => {
    const position = positionOfOnlyScript(commands);
    const [, source] = commands[position] ?? [];
    if (typeof source !== 'string') return send(commands);
    const script = known.get(source);
    if (script?.isStored && script.sha !== undefined) {
      const answers = await send(withSha(commands, position, script.sha));
      if (!answers[position]?.error?.startsWith('NOSCRIPT')) return answers;
      noteLost(script);
    }
    const answers = await send(commands);
    if (answers[position]?.error === undefined) noteStored(source);
    return answers;
  };
}

/** The position of the only script among commands that otherwise read. Else -1. */
function positionOfOnlyScript(commands: Commands): number {
  let position = -1;
  for (const [index, [name]] of commands.entries()) {
    if (READS.has(name)) continue;
    if (name !== 'eval' || position !== -1) return -1;
    position = index;
  }
  return position;
}

function withSha(commands: Commands, position: number, sha: string): Commands {
  return commands.map((command, index) => {
    if (index !== position) return command;
    const [, , ...rest] = command;
    return ['evalsha', sha, ...rest];
  });
}

/** WebCrypto, because no module for it is in every runtime. */
async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
