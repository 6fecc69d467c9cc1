/** What a person sends to save a key. */
import { z } from 'zod';
import { MAX_KEY_CHARACTERS } from '../limits.ts';

/**
 * White space around a pasted key goes. What was copied along with a key is refused with a sentence that says what to
 * paste, and so is what cannot stand in an HTTP header field (RFC 9110, section 5.5). The shape of the key itself is
 * never a reason to refuse it. No message repeats the value.
 */
export const saveKeyBody = z.strictObject({
  key: z
    .string('must be a string')
    .trim()
    .superRefine((key, context) => {
      const message = findFlaw(key);
      // Without `input`, so that the issue does not contain the rejected value.
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    }),
});

/** In the order in which they are told: the first that applies is what the person should change. */
const FLAWS: readonly (readonly [pattern: RegExp, message: string])[] = [
  [/^$/, 'must not be empty'],
  [
    /^(?:proxy-)?authorization\s*:/i,
    'begins with “Authorization:”: paste only the key, without the name of the header and without “Bearer”',
  ],
  [
    /^(?:x[a-z]*|api)-(?:[a-z-]*-)?(?:key|token)\s*:/i,
    'begins with the name of a header: paste only the key after it',
  ],
  [/^(?:bearer|basic|token)\s/i, 'begins with “Bearer” or a similar word: paste only the key after it'],
  [
    /^(?:(?:export|set)\s+)?[A-Z][A-Z0-9]*_[A-Z0-9_]*\s*=\s*[^=\s]/,
    'is a line NAME=value: paste only the value after “=”',
  ],
  [/^(?:api[_-]?)?(?:key|token)\s*=\s*[^=\s]/i, 'is a line name=value: paste only the value after “=”'],
  [/^["'`“”‘’]|["'`“”‘’][,;]?$/, 'is in quotation marks: paste the key without them'],
  [/\s/, 'contains white space: paste one key alone, without spaces and line breaks'],
  [
    /[^\x21-\x7e]/,
    'contains a character that no key has, perhaps an invisible one: copy the key again from the provider’s page',
  ],
];

function findFlaw(key: string): string | undefined {
  if (key.length > MAX_KEY_CHARACTERS) return `must have at most ${MAX_KEY_CHARACTERS} characters`;
  return FLAWS.find(([pattern]) => pattern.test(key))?.[1];
}
