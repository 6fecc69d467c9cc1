export type CommandOptions = {
  /** The project: where `api/` and `vercel.json` are. */
  readonly root: string;
  /** Where the command was started: where the `.env` files are. */
  readonly directory: string;
  /** Where the store, the master keys and the issuer's key are kept. */
  readonly dataDirectory: string;
  /** The port of the functions; the next free one is taken if this one is not. 0: the system picks. */
  readonly port: number;
};
