/** The session of the standalone page. It comes from the host app or from the local issuer. */
import type { GetToken } from '../client/api-fetch.ts';

export type Session = {
  /** The user's display name, if it is known. */
  readonly name: string | undefined;
  readonly getToken: GetToken;
  /** Undefined when the page cannot sign the user out. */
  readonly signOut: (() => void | Promise<void>) | undefined;
};

/**
 * A deployment's own script can set this on `window` before the page's script runs. Then users do not have to
 * sign in a second time. docs/web.md has an example with Clerk.
 */
type UserKeysHost = {
  readonly getToken: GetToken;
  readonly name?: string;
  readonly signOut?: () => void | Promise<void>;
};

declare global {
  interface Window {
    userKeysHost?: UserKeysHost;
  }
}

/** The session from the host app, or undefined. */
export function readHostSession(): Session | undefined {
  const host = window.userKeysHost;
  return host && { getToken: host.getToken, name: host.name, signOut: host.signOut };
}
