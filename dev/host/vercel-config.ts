import { join } from 'node:path';
import { getTransformedRoutes, isHandler } from '@vercel/routing-utils';
import { z } from 'zod';
import { readPrivateFile } from '../state/private-file.ts';

const DEFAULT_CACHE_CONTROL = 'public, max-age=0, must-revalidate';

/** Strict where a member would change what a rule matches: `has`, `missing` and the like are refused. */
const VercelJson = z.looseObject({
  rewrites: z.array(z.strictObject({ source: z.string(), destination: z.string() })).default([]),
  headers: z
    .array(
      z.strictObject({
        source: z.string(),
        headers: z.array(z.strictObject({ key: z.string(), value: z.string() })),
      }),
    )
    .default([]),
  outputDirectory: z.string().default('web/dist'),
});

export type VercelConfig = {
  /** In the order of the file. Each gives the path it leads to, or undefined where it does not match. */
  readonly rewrites: readonly ((pathname: string) => string | undefined)[];
  /**
   * The headers of every rule that matches; of two values of one header the later rule's counts. Without a
   * `Cache-Control` of its own a response may be stored, but not used without asking again, as on Vercel.
   */
  headersFor(pathname: string): Headers;
  /** The directory of the static page, absolute. */
  readonly outputDirectory: string;
};

/**
 * The parts of `<root>/vercel.json` that this host applies: output directory, rewrites and headers. Vercel's own
 * library compiles the source patterns. Throws when the file, a rule or a pattern is not understood.
 */
export async function readVercelConfig(root: string): Promise<VercelConfig> {
  const text = await readPrivateFile(join(root, 'vercel.json'));
  const { rewrites, headers, outputDirectory } = VercelJson.parse(text === undefined ? {} : JSON.parse(text));
  const { routes, error } = getTransformedRoutes({ rewrites, headers });
  if (error) throw new Error(`vercel.json: ${error.message}`);
  const rules = (routes ?? []).flatMap((route) => (isHandler(route) ? [] : [route]));
  return {
    rewrites: rules.flatMap(({ src, dest }) => (dest === undefined ? [] : [compileRewrite(src, dest)])),
    headersFor(pathname) {
      const matching = rules.filter((rule) => rule.headers && new RegExp(rule.src).test(pathname));
      const found = new Headers({ 'cache-control': DEFAULT_CACHE_CONTROL });
      for (const [name, value] of matching.flatMap((rule) => Object.entries(rule.headers ?? {}))) {
        found.set(name, value);
      }
      return found;
    },
    outputDirectory: join(root, outputDirectory),
  };
}

/** `$1` in the destination is the pattern's first group. The query is not part of the path. */
function compileRewrite(source: string, destination: string): (pathname: string) => string | undefined {
  const pattern = new RegExp(source);
  const path = destination.split('?')[0] ?? '';
  return (pathname) => (pattern.test(pathname) ? pathname.replace(pattern, path) : undefined);
}
