// What answers commands behind the REST protocol. The protocol knows nothing of what is behind it, and an
// engine nothing of HTTP.

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
  /** Returns when everything acknowledged is kept and nothing runs any more. */
  close(): Promise<void>;
};

/** The answer to an atomic batch of which `cause` could not run: as in Redis, and with the reason. */
export function discarded(cause: string): CommandError {
  return new CommandError(`EXECABORT Transaction discarded because of previous errors. ${cause}`);
}
