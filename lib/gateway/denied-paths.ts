/**
 * Finds paths that lead to account or key administration at a provider, in any spelling under which the provider may
 * serve them. The catalogue lists them. Where spellings are in doubt, more is refused.
 */
import { MAX_PATH_ENCODING_LAYERS } from '../limits.ts';
import type { Provider } from '../providers/catalogue.ts';

/** A version that base URLs and patterns begin with, such as `v1`. */
const VERSION = /^v\d/;
/** What a path segment consists of, apart from extensions (`.json`), methods (`:delete`) and parameters (`;a=b`). */
const NAME = /[a-z0-9_-]+/;

/**
 * Whether the catalogue denies the path. `basePath` is the path of the provider's base URL. The leading version of a
 * denied path is optional, because the base URL or a proxy of the operator's may contain it.
 */
export function isDeniedPath({ denied }: Provider, basePath: string, path: string): boolean {
  if (denied.paths.length === 0) return false;
  const patterns = denied.paths.flatMap(toPatterns);
  const prefix = toSegments(basePath);
  return decodings(path).some((written) => {
    const segments = toSegments(written);
    const tails = [...prefix.keys(), prefix.length].map((start) => [...prefix.slice(start), ...segments]);
    return tails.some((tail) => patterns.some((pattern) => matches(pattern, tail)));
  });
}

/** The path as written, and after each round of percent-decoding: an encoded slash may or may not separate segments. */
function decodings(path: string): readonly string[] {
  const found = [path];
  for (let layer = 0; layer < MAX_PATH_ENCODING_LAYERS; layer += 1) {
    const last = found.at(-1) ?? '';
    const next = decode(last);
    if (next === last) break;
    found.push(next);
  }
  return found;
}

/** The names of the segments: decoded, in lower case, without empty ones, extensions, methods and parameters. */
function toSegments(path: string): readonly string[] {
  return path.split(/[/\\]/).flatMap((segment) => {
    const plain = decodings(segment).at(-1) ?? '';
    return NAME.exec(plain.normalize('NFKC').toLowerCase()) ?? [];
  });
}

type Pattern = { readonly segments: readonly string[]; readonly includesBelow: boolean };

function toPatterns(text: string): readonly Pattern[] {
  const includesBelow = text.endsWith('/**');
  const segments = text
    .replace(/\/\*\*$/, '')
    .toLowerCase()
    .split('/')
    .filter((segment) => segment !== '');
  const pattern = { segments, includesBelow };
  return VERSION.test(segments[0] ?? '') ? [pattern, { ...pattern, segments: segments.slice(1) }] : [pattern];
}

/** One pass is enough: after `*`, the first segment that fits leaves the most for the rest of the pattern. */
function matches({ segments, includesBelow }: Pattern, path: readonly string[]): boolean {
  let at = 0;
  let maySkip = false;
  for (const expected of segments) {
    if (expected === '*') {
      maySkip = true;
      continue;
    }
    const found = maySkip ? path.indexOf(expected, at) : path[at] === expected ? at : -1;
    if (found === -1) return false;
    at = found + 1;
    maySkip = false;
  }
  return includesBelow || at === path.length;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
