/** One SDK under test: how its cases are run, or why it has none. */
import type { ProviderId } from '../../../lib/providers/catalogue.ts';
import type { Answer } from '../../support/answers.ts';
import type { Gate } from './emulate.ts';
import type { Session, Stage } from './stage.ts';

/** An SDK cannot do something: why, in the table. With the line of its source where that is the reason. */
export type Lacks = { readonly lacks: string };
export const lacks = (reason: string): Lacks => ({ lacks: reason });

/** Calls that are answered one by one with the given answers, and what must come out of them. */
export type Scene<Client> = {
  readonly answers: readonly Answer[];
  readonly run: (client: Client) => Promise<unknown>;
  readonly gives: unknown;
};

export type SdkSpec<Client, Given = unknown> = {
  readonly name: string;
  /** The npm package, whose installed version the table shows. */
  readonly package: string;
  readonly provider: ProviderId;
  /** The lines of docs/sdks.md. */
  readonly snippet: (session: Session) => Promise<{ readonly client: Client; readonly answer: Given }>;
  /** What matters of the snippet's answer. */
  readonly read: (answer: Given) => unknown;
  /** What the provider answers to the snippet and to `call`. Default: aimock. */
  readonly answer?: (stage: Stage) => Answer;
  /** What the snippet and `call` give. Default: `HELLO`. */
  readonly gives?: unknown;
  readonly call: (client: Client, signal?: AbortSignal) => Promise<unknown>;
  readonly stream:
    | Lacks
    | {
        readonly run: (
          client: Client,
          signal?: AbortSignal,
        ) => AsyncIterable<string | undefined> | Promise<AsyncIterable<string | undefined>>;
        /** Default: aimock. */
        readonly answer?: (gate: Gate, stage: Stage) => Answer;
      };
  /** Whether leaving a stream in the middle ends it. Default: it does. */
  readonly leave?: Lacks;
  /** A refusal of the provider's: its status is 400, its body holds `Bad model`. */
  readonly error: {
    readonly body?: unknown;
    /** Whether it is the SDK's own error. */
    readonly is: (error: unknown) => boolean;
    /** Where its status is; left out when its errors have none. */
    readonly status?: (error: unknown) => unknown;
  };
  readonly abort: Lacks | 'signal';
  /** Whether the SDK tries again by itself when told to: 429 with `Retry-After: 0`, then an answer. */
  readonly retry: Lacks | 'retries';
  /** Whether `apiKey` may be a function that gives a fresh token for each call. */
  readonly freshToken: Lacks | 'function';
  readonly upload: Lacks | Scene<Client>;
  readonly binary: Lacks | Omit<Scene<Client>, 'gives'>;
  readonly poll: Lacks | Scene<Client>;
  readonly pages: Lacks | Scene<Client>;
};

export const CASES = [
  ...(['plain', 'stream', 'leave', 'error', 'abort', 'retry', 'freshToken'] as const),
  ...(['upload', 'binary', 'poll', 'pages'] as const),
];
export type CaseName = (typeof CASES)[number];

/** An SDK whose client type nobody else needs to know. */
export type Sdk = {
  readonly name: string;
  readonly package: string;
  readonly provider: ProviderId;
  /** Why there is no such case, or undefined. */
  lack(name: CaseName): string | undefined;
  run(name: CaseName, stage: Stage): Promise<void>;
};
