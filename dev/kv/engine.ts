// The interface between the REST protocol and the engine that runs the commands. An engine knows nothing of HTTP.

/** One command: its name and its arguments, byte for byte. */
export type Command = readonly (string | Buffer)[];

/** A command's error: `code message`, as Redis writes it (`WRONGTYPE Operation against …`). */
export class CommandError {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** A RESP2 reply. A `Buffer` is a bulk string, a `string` a status line such as `OK`. */
export type Reply = Buffer | string | number | null | CommandError | Reply[];

export type Engine = {
  /**
   * Runs the commands in order and answers each in its place, a failed one with its `CommandError`.
   * When it resolves, every write among them is on the disk, if the engine keeps its data at all.
   *
   * `atomic`: no other command runs in between. If one of them cannot run at all (unknown, wrong number of
   * arguments), none runs and the answer is a single `CommandError`.
   *
   * Rejects when the engine itself cannot answer; the writes may then have happened or not.
   */
  execute(commands: readonly Command[], options: { atomic: boolean }): Promise<Reply[] | CommandError>;
  /** Resolves when no command runs any more and everything acknowledged is kept. */
  close(): Promise<void>;
};

/** The answer to an atomic batch of which `cause` could not run: as in Redis, and with the reason. */
export function discarded(cause: string): CommandError {
  return new CommandError(`EXECABORT Transaction discarded because of previous errors. ${cause}`);
}
