import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

export type Route = {
  /** The function's file, absolute. */
  readonly file: string;
  /** The path segments it answers; undefined stands for a `[param]`. */
  readonly segments: readonly (string | undefined)[];
};

export type Routes = {
  /** Functions without a `[param]`. */
  readonly exact: readonly Route[];
  /** Functions with a `[param]`, those with the fewest first. */
  readonly dynamic: readonly Route[];
};

/**
 * The functions under `<root>/api`, as Vercel finds them: `api/keys/index.ts` answers `/api/keys`,
 * `api/keys/[provider].ts` one further segment. A file or folder whose name begins with `_` or `.` is not a function.
 */
export async function readRoutes(root: string): Promise<Routes> {
  const found = await readdir(join(root, 'api'), { recursive: true, withFileTypes: true }).catch(() => []);
  const routes = found
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => isFunction(file.slice(root.length)))
    .map((file) => ({ file, segments: segmentsOf(file.slice(root.length)) }))
    .sort((one, other) => params(one) - params(other) || one.file.localeCompare(other.file));
  return {
    exact: routes.filter((route) => params(route) === 0),
    dynamic: routes.filter((route) => params(route) > 0),
  };
}

/** The first route that answers the path, or undefined. A trailing slash makes no difference. */
export function findRoute(routes: readonly Route[], pathname: string): Route | undefined {
  const actual = pathname.replace(/^\//, '').replace(/\/$/, '').split('/');
  return routes.find(
    ({ segments }) =>
      segments.length === actual.length &&
      segments.every((segment, index) =>
        segment === undefined ? actual[index] !== '' : segment === actual[index],
      ),
  );
}

function isFunction(path: string): boolean {
  return /\.(ts|js|mts|mjs)$/.test(path) && !/\.d\.m?ts$/.test(path) && !/\/[_.]/.test(path);
}

function segmentsOf(path: string): (string | undefined)[] {
  return path
    .replace(/\.[^.]+$/, '')
    .replace(/\/index$/, '')
    .split('/')
    .filter((segment) => segment !== '')
    .map((segment) => (/^\[.+\]$/.test(segment) ? undefined : segment));
}

function params({ segments }: Route): number {
  return segments.filter((segment) => segment === undefined).length;
}
