/** What a person sends to save a key. */
import { z } from 'zod';
import { MAX_KEY_CHARACTERS } from '../limits.ts';

/**
 * White space around a pasted key goes; what cannot stand in an HTTP header field (RFC 9110, section 5.5) is
 * refused. A key's shape is never a reason to refuse it.
 */
export const saveKeyBody = z.strictObject({
  key: z
    .string('must be a string')
    .trim()
    .min(1, 'must not be empty')
    .max(MAX_KEY_CHARACTERS, `must have at most ${MAX_KEY_CHARACTERS} characters`)
    .regex(/^[\t\x20-\x7e]*$/, 'must be printable ASCII on one line: paste the key alone'),
});
