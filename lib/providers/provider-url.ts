/** Addresses at a provider: always on its own origin, whatever the path. */
import { Problem } from '../errors.ts';
import type { Provider, ProviderId } from './catalogue.ts';

export type BaseUrls = ReadonlyMap<ProviderId, string>;

/** Where a provider's calls go: the operator's override, or the catalogue's origin. No trailing slash. */
export function providerBase(provider: Provider & { readonly id: ProviderId }, overrides: BaseUrls): string {
  return overrides.get(provider.id) ?? provider.origin;
}

/** `.` and `..`, and what a server that knows path parameters (RFC 3986, section 3.3) may take for those: `..;a`. */
const DOT_SEGMENT = /(?:^|[/\\])(?:\.\.|\.(?:$|[/\\;]))/;
const MAX_PATH_CHARACTERS = 8_192;

/**
 * `base` with a raw path and query behind it. The path must already be in the form a URL parser gives it: no
 * empty or dot segments and none that begins with two dots, also not behind percent-encoding, no backslash, no
 * control character. After joining,
 * origin and prefix are asserted.
 *
 * @throws Problem `path_refused`.
 */
export function joinProviderUrl(base: string, path: string, search: string): string {
  if (!path.startsWith('/') || path.includes('//') || path.length > MAX_PATH_CHARACTERS) throw refused();
  for (let decoded = path, rounds = 0; ; rounds += 1) {
    if (DOT_SEGMENT.test(decoded) || decoded.includes('\\') || hasControlCharacter(decoded)) throw refused();
    const next = decodeOnce(decoded);
    if (next === decoded) break;
    if (rounds === 3) throw refused();
    decoded = next;
  }
  const joined = `${base}${path}${search}`;
  const expected = new URL(base);
  const prefix = expected.pathname === '/' ? '' : expected.pathname;
  const url = URL.canParse(joined) ? new URL(joined) : undefined;
  if (url?.origin !== expected.origin || url.pathname !== `${prefix}${path}` || url.username !== '') {
    throw refused();
  }
  return url.href;
}

function decodeOnce(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw refused();
  }
}

function hasControlCharacter(path: string): boolean {
  return [...path].some((character) => character < ' ' || character === '\x7f');
}

function refused(): Problem {
  return new Problem('path_refused');
}
