import { join } from 'node:path';
import { z } from 'zod';
import { readPrivateFile } from '../state/private-file.ts';

const VercelJson = z.looseObject({
  rewrites: z.array(z.looseObject({ source: z.string(), destination: z.string() })).default([]),
  outputDirectory: z.string().default('web/dist'),
});

export type VercelConfig = {
  /** Where a path that is no file and no function leads, or undefined. */
  rewrite(pathname: string): string | undefined;
  /** The directory of the static page, absolute. */
  readonly outputDirectory: string;
};

/**
 * What this host understands of `<root>/vercel.json`: the output directory, and rewrites whose source is made of
 * literal text, `:name`, `:name*` and `(.*)`. The rest is for the platform.
 */
export async function readVercelConfig(root: string): Promise<VercelConfig> {
  const text = await readPrivateFile(join(root, 'vercel.json'));
  const { rewrites, outputDirectory } = VercelJson.parse(text === undefined ? {} : JSON.parse(text));
  const rules = rewrites.map(({ source, destination }) => ({ pattern: compile(source), destination }));
  return {
    rewrite: (pathname) => rules.find(({ pattern }) => pattern.test(pathname))?.destination,
    outputDirectory: join(root, outputDirectory),
  };
}

function compile(source: string): RegExp {
  const pattern = source.replace(/\/?:\w+\*|:\w+|\(\.\*\)|[^:(]+|./g, (part) => {
    if (part === '(.*)') return '.*';
    if (part.endsWith('*')) return part.startsWith('/') ? '(?:/.*)?' : '.*';
    if (part.startsWith(':')) return '[^/]+';
    return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${pattern}$`);
}
