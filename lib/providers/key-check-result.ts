/** Reads from a provider's answer whether the key is valid. */
import type { CheckRule, Provider } from './catalogue.ts';

/** `unknown`: the answer does not show whether the key is valid. */
export type KeyCheckResult = CheckRule['says'];

/** Reads the answer to a key check: the first matching rule decides, or else 2xx means valid and 401 rejected. */
export function readCheckAnswer(provider: Provider, status: number, text: string): KeyCheckResult {
  const { rules = [] } = provider.check;
  const matched = rules.find((rule) => rule.status === status && matchesText(rule, text));
  if (matched !== undefined) return matched.says;
  if (isSuccess(status)) return 'valid';
  return status === 401 ? 'rejected' : 'unknown';
}

/**
 * Reads the answer to any other call. Such a call can fail for many reasons besides the key, so only a 401, or a failure
 * that matches a rule with text, says something about the key. `text` is undefined if the body was not read.
 */
export function readCallAnswer(
  provider: Provider,
  path: string,
  status: number,
  text: string | undefined,
): KeyCheckResult {
  if (isSuccess(status)) return isOpenPath(provider, path) ? 'unknown' : 'valid';
  const rules = (provider.check.rules ?? []).filter((rule) => rule.status === status);
  const textRules = rules.filter(({ includes }) => includes !== undefined);
  const matched = textRules.find((rule) => text !== undefined && matchesText(rule, text));
  if (matched !== undefined) return matched.says;
  if (status !== 401 || (text === undefined && textRules.length > 0)) return 'unknown';
  return rules.find(({ includes }) => includes === undefined)?.says ?? 'rejected';
}

function matchesText({ includes }: CheckRule, text: string): boolean {
  return includes === undefined || text.includes(includes);
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

function isOpenPath({ openPaths = [] }: Provider, path: string): boolean {
  return openPaths.some((open) => path === open || path.startsWith(`${open}/`));
}
