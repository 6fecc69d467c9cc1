/**
 * Signing in on a developer's machine, through the issuer that runs there. A deployment has no such issuer: the
 * page asks for one only where it is itself served from loopback, and uses only one on loopback.
 */
import { fieldsOf, list, text } from '../client/decode.ts';
import type { Session } from './session.ts';

const LOOPBACK_HOSTS = ['127.0.0.1', 'localhost', '[::1]'];

/** Who the local issuer gives tokens to. */
export const DEMO_USERS = ['alice', 'bob'] as const;
export type DemoUser = (typeof DEMO_USERS)[number];

/** Remembers who is signed in for as long as the tab is open. A name, not a credential. */
const SIGNED_IN_ITEM = 'userkeys_demo_user';
/** Tokens live ten minutes; a new one is asked for well before. */
const TOKEN_REUSE_MS = 4 * 60_000;

/** The issuer's address, from the metadata of RFC 9728 that the development host serves, or undefined. */
export async function findLocalIssuer(): Promise<string | undefined> {
  if (!LOOPBACK_HOSTS.includes(location.hostname)) return undefined;
  try {
    const answer = await fetch('/.well-known/oauth-protected-resource', { cache: 'no-store' });
    const issuers = list(fieldsOf(await answer.json()).authorization_servers, text);
    return issuers.find(isOnLoopback);
  } catch {
    return undefined;
  }
}

export function demoSession(issuer: string, user: DemoUser, whenSignedOut: () => void): Session {
  let kept: { readonly token: string; readonly askedAt: number } | undefined;
  sessionStorage.setItem(SIGNED_IN_ITEM, user);
  return {
    name: user,
    async getToken({ fresh }) {
      const isUsable = kept !== undefined && Date.now() - kept.askedAt < TOKEN_REUSE_MS;
      if (fresh || !isUsable) kept = { token: await askForToken(issuer, user), askedAt: Date.now() };
      return kept?.token;
    },
    signOut() {
      sessionStorage.removeItem(SIGNED_IN_ITEM);
      whenSignedOut();
    },
  };
}

/** Who was signed in before a reload. */
export function rememberedUser(): DemoUser | undefined {
  const name = sessionStorage.getItem(SIGNED_IN_ITEM);
  return DEMO_USERS.find((user) => user === name);
}

async function askForToken(issuer: string, user: DemoUser): Promise<string> {
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user }),
  });
  return text(fieldsOf(await answer.json()).token);
}

function isOnLoopback(address: string): boolean {
  const url = URL.parse(address);
  return url?.protocol === 'http:' && LOOPBACK_HOSTS.includes(url.hostname);
}
