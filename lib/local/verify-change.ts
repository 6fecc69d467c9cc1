/** Whether a change to an `.env` file did what it should and nothing else. */
import { parseEnv } from 'node:util';
import { readVariables } from './env-text.ts';

const NAME = /^[\w.-]+$/;

/** The readers that must agree: ours, which reads as dotenv does, and Node's own, behind `--env-file`. */
const READERS: readonly ((text: string) => ReadonlyMap<string, string | undefined>)[] = [
  readVariables,
  // Node 24 finds variables called `#` or `export A` in some empty assignments; no program asks for those.
  (text) => new Map(Object.entries(parseEnv(text)).filter(([name]) => NAME.test(name))),
];

/**
 * True when every reader finds each variable of `wanted` as it is there (undefined: not at all), and every other
 * variable as it was before.
 */
export function onlyChanged(
  before: string,
  after: string,
  wanted: ReadonlyMap<string, string | undefined>,
): boolean {
  return READERS.every((read) => {
    const [was, is] = [read(before), read(after)];
    const names = new Set([...was.keys(), ...is.keys(), ...wanted.keys()]);
    return [...names].every((name) => is.get(name) === (wanted.has(name) ? wanted : was).get(name));
  });
}
