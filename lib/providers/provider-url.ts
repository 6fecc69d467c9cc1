/** Builds provider URLs that always stay on the provider's origin, whatever the path. */
import { Problem, type Reason } from '../errors.ts';
import { MAX_PATH_CHARACTERS, MAX_PATH_ENCODING_LAYERS } from '../limits.ts';
import type { Provider, ProviderId } from './catalogue.ts';

export type BaseUrls = ReadonlyMap<ProviderId, string>;

/** The base URL of a provider's calls: the operator's override, or the catalogue's origin. No trailing slash. */
export function providerBase(provider: Provider, overrides: BaseUrls): string {
  return overrides.get(provider.id) ?? provider.origin;
}

/** `.` and `..`, and forms that servers with path parameters (RFC 3986, section 3.3) may treat as these: `..;a`. */
const DOT_SEGMENT = /(?:^|[/\\])(?:\.\.|\.(?:$|[/\\;]))/;

/**
 * Joins `base` with a raw path and query. The path must already be normalized: no empty or dot segments, no segment that
 * starts with two dots, no backslash and no control character, also not percent-encoded. The joined URL must still have
 * the origin and path prefix of `base`.
 *
 * @throws Problem `path_refused`.
 */
export function joinProviderUrl(base: string, path: string, search: string): string {
  if (!path.startsWith('/') || path.includes('//') || path.length > MAX_PATH_CHARACTERS) {
    throw refused('path_not_plain');
  }
  for (let decoded = path, layer = 0; ; layer += 1) {
    if (DOT_SEGMENT.test(decoded) || decoded.includes('\\') || hasControlCharacter(decoded)) {
      throw refused('path_not_plain');
    }
    const next = decodeOnce(decoded);
    if (next === decoded) break;
    if (layer === MAX_PATH_ENCODING_LAYERS) throw refused('path_encoding_broken');
    decoded = next;
  }
  const joined = `${base}${path}${search}`;
  const expected = new URL(base);
  const prefix = expected.pathname === '/' ? '' : expected.pathname;
  const url = URL.canParse(joined) ? new URL(joined) : undefined;
  if (url?.origin !== expected.origin || url.pathname !== `${prefix}${path}` || url.username !== '') {
    throw refused('path_leaves_origin');
  }
  return url.href;
}

function decodeOnce(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw refused('path_encoding_broken');
  }
}

function hasControlCharacter(path: string): boolean {
  return [...path].some((character) => character < ' ' || character === '\x7f');
}

function refused(reason: Reason): Problem {
  return new Problem('path_refused', { reason });
}
