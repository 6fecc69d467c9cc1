/** Who is signed in to the standalone page, and by whom: the app that hosts it, or the local issuer. */
import type { GetToken } from '../client/call-api.ts';

export type Session = {
  /** What the user is called, if that is known. */
  readonly name: string | undefined;
  readonly getToken: GetToken;
  /** Undefined where the page cannot sign the user out. */
  readonly signOut: (() => void | Promise<void>) | undefined;
};

/**
 * What a deployment's own script puts on `window` before this page's script runs, so that its users need no
 * second sign-in (docs/web.md shows it with Clerk).
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

/** The session the host supplies, or undefined. */
export function hostSession(): Session | undefined {
  const host = window.userKeysHost;
  return host && { getToken: host.getToken, name: host.name, signOut: host.signOut };
}
