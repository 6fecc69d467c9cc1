/** What a provider's answer says about the key it was called with. */
import type { CheckRule, Provider } from './catalogue.ts';

/** `unknown`: nothing. */
export type KeyCheckResult = CheckRule['says'];

/** The answer to a key check, where any failure is about the key: the first rule that fits, else 2xx and 401. */
export function readCheckAnswer(provider: Provider, status: number, text: string): KeyCheckResult {
  const { rules = [] } = provider.check;
  const decided = rules.find((rule) => rule.status === status && fits(rule, text));
  if (decided !== undefined) return decided.says;
  if (isSuccess(status)) return 'valid';
  return status === 401 ? 'rejected' : 'unknown';
}

/**
 * The answer to any other call. Beside the key a hundred things can be wrong with one, so of the failures only 401
 * counts, and those for which a rule names words of the answer. `text` is undefined when it was not read.
 */
export function readCallAnswer(
  provider: Provider,
  path: string,
  status: number,
  text: string | undefined,
): KeyCheckResult {
  if (isSuccess(status)) return isOpen(provider, path) ? 'unknown' : 'valid';
  const rules = (provider.check.rules ?? []).filter((rule) => rule.status === status);
  const worded = rules.filter(({ includes }) => includes !== undefined);
  const decided = worded.find((rule) => text !== undefined && fits(rule, text));
  if (decided !== undefined) return decided.says;
  if (status !== 401 || (text === undefined && worded.length > 0)) return 'unknown';
  return rules.find(({ includes }) => includes === undefined)?.says ?? 'rejected';
}

function fits({ includes }: CheckRule, text: string): boolean {
  return includes === undefined || text.includes(includes);
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

function isOpen({ openPaths = [] }: Provider, path: string): boolean {
  return openPaths.some((open) => path === open || path.startsWith(`${open}/`));
}
