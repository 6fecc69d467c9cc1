/** Taking a key out of what a provider says about it: providers echo keys in errors, whole or masked. */
import type { Secret } from '../secret.ts';

const REPLACEMENT = '[key]';
/** Something, a mask, something: `sk-proj-****abcd`, `xa...YZ`. */
const MASKED = /([\w-]*)(?:[*•·…]+|\.{2,}|(?<=\W|^)x{4,}|X{4,})([\w-]*)/g;
/** Shorter pieces beside a mask are no evidence of a key. */
const LEAST_PIECE = 2;

/** A function that replaces the key in a text: as it is, percent-encoded, its SHA-256, or masked. */
export async function createRedactor(key: Secret): Promise<(text: string) => string> {
  const value = key.reveal();
  const whole = [value, encodeURIComponent(value), await sha256Hex(value)].filter((form) => form !== '');
  return (text) => {
    const withoutWhole = whole.reduce((rest, form) => rest.replaceAll(form, REPLACEMENT), text);
    return withoutWhole.replace(MASKED, (match, before: string, after: string) => {
      const startsKey = before.length >= LEAST_PIECE && value.startsWith(before);
      const endsKey = after.length >= LEAST_PIECE && value.endsWith(after);
      return startsKey || endsKey ? REPLACEMENT : match;
    });
  };
}

async function sha256Hex(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
