/**
 * Signs in through the local issuer on a developer's machine. A deployment has no local issuer: the page looks for
 * one only when the page itself is served from loopback, and accepts only an issuer on loopback.
 */
import { isLoopback } from '../client/api-fetch.ts';
import { parseArray, parseObject, parseString } from '../client/json-parsers.ts';
import type { Session } from './session.ts';

/** The users that the local issuer can sign in. */
export const DEMO_USERS = ['alice', 'bob'] as const;
export type DemoUser = (typeof DEMO_USERS)[number];

/** Holds the name of the signed-in user until the tab is closed. It is not a credential. */
const DEMO_USER_ITEM = 'userkeys_demo_user';
/** Tokens are valid for ten minutes. A new one is requested well before that. */
const TOKEN_REUSE_MS = 4 * 60_000;

/** The URL of the local issuer, or undefined. The development server publishes it as RFC 9728 metadata. */
export async function findLocalIssuer(): Promise<string | undefined> {
  if (!isLoopback(location)) return undefined;
  try {
    const response = await fetch('/.well-known/oauth-protected-resource', { cache: 'no-store' });
    const issuers = parseArray(parseObject(await response.json()).authorization_servers, parseString);
    return issuers.find(isLoopbackIssuer);
  } catch {
    return undefined;
  }
}

export function demoSession(issuer: string, user: DemoUser, onSignedOut: () => void): Session {
  let cached: { readonly token: string; readonly requestedAt: number } | undefined;
  sessionStorage.setItem(DEMO_USER_ITEM, user);
  return {
    name: user,
    async getToken({ fresh }) {
      const isUsable = cached !== undefined && Date.now() - cached.requestedAt < TOKEN_REUSE_MS;
      if (fresh || !isUsable) cached = { token: await requestToken(issuer, user), requestedAt: Date.now() };
      return cached?.token;
    },
    signOut() {
      sessionStorage.removeItem(DEMO_USER_ITEM);
      onSignedOut();
    },
  };
}

/** The user who was signed in before the page was reloaded. */
export function readDemoUser(): DemoUser | undefined {
  const name = sessionStorage.getItem(DEMO_USER_ITEM);
  return DEMO_USERS.find((user) => user === name);
}

async function requestToken(issuer: string, user: DemoUser): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user }),
  });
  return parseString(parseObject(await response.json()).token);
}

function isLoopbackIssuer(issuer: string): boolean {
  const url = URL.parse(issuer);
  return url?.protocol === 'http:' && isLoopback(url);
}
