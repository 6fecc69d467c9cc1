/** Matching a request's path against the pattern of its function file. */

/**
 * The named segments of `/api/keys/:provider`, percent-decoded, or undefined when the path has another form.
 * A pattern that ends in `/*` takes any rest and leaves it alone.
 */
export function matchPath(pattern: string, pathname: string): Readonly<Record<string, string>> | undefined {
  const open = pattern.endsWith('/*');
  const expected = (open ? pattern.slice(0, -2) : pattern).split('/');
  const actual = (open ? pathname : pathname.replace(/\/$/, '')).split('/');
  if (open ? actual.length < expected.length : actual.length !== expected.length) return undefined;
  const named: [string, string][] = [];
  for (const [index, part] of expected.entries()) {
    const segment = actual[index] ?? '';
    if (!part.startsWith(':')) {
      if (part !== segment) return undefined;
      continue;
    }
    const decoded = decodeSegment(segment);
    if (!decoded) return undefined;
    named.push([part.slice(1), decoded]);
  }
  return Object.fromEntries(named);
}

function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
