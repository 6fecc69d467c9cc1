/** From a session token to the user it names, or a refusal. Nothing of the token gets into an error. */
import { decodeProtectedHeader, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { Problem } from '../errors.ts';
import type { Secret } from '../secret.ts';
import { isUserId, type UserId } from './user-id.ts';

export type Expectations = {
  readonly issuer: string;
  readonly audience: readonly string[];
  readonly authorizedParties: readonly string[];
};

export type VerifyToken = (token: Secret, now: Date) => Promise<UserId>;

const MAX_TOKEN_CHARACTERS = 16 * 1024;
const CLOCK_SKEW_SECONDS = 5;
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
/** Header members by which a token would bring or name its own key, or ask for extensions (RFC 7515, section 4.1). */
const REFUSED_HEADER_MEMBERS = ['jwk', 'jku', 'x5u', 'x5c', 'crit'];

/**
 * Verifies signature, `iss`, `exp`, `nbf`, `iat`, `sub`, and `aud` and `azp` where expected (RFC 7519, RFC 8725).
 * The user is the `sub` of the verified claims and nothing else.
 *
 * @throws Problem `token_expired`; `token_invalid` for every other refusal; `issuer_unavailable` when the keys
 *   cannot be fetched, which says nothing about the token.
 */
export function createTokenVerifier(expected: Expectations, findKey: JWTVerifyGetKey): VerifyToken {
  return async (token, now) => {
    const text = token.reveal();
    if (text.length > MAX_TOKEN_CHARACTERS) throw refused('token_invalid');
    try {
      const header = decodeProtectedHeader(text);
      if (REFUSED_HEADER_MEMBERS.some((member) => Object.hasOwn(header, member)))
        throw refused('token_invalid');
      const { payload } = await jwtVerify(text, findKey, {
        algorithms: ALGORITHMS,
        issuer: expected.issuer,
        ...(expected.audience.length > 0 ? { audience: [...expected.audience] } : {}),
        requiredClaims: ['iss', 'sub', 'exp', 'iat'],
        clockTolerance: CLOCK_SKEW_SECONDS,
        currentDate: now,
      });
      const issuedAt = payload.iat ?? Number.POSITIVE_INFINITY;
      if (issuedAt > now.getTime() / 1000 + CLOCK_SKEW_SECONDS) throw refused('token_invalid');
      if (
        expected.authorizedParties.length > 0 &&
        !expected.authorizedParties.includes(String(payload.azp))
      ) {
        throw refused('token_invalid');
      }
      if (!isUserId(payload.sub)) throw refused('token_invalid');
      return payload.sub;
    } catch (error) {
      if (error instanceof Problem) throw error;
      throw refused(error instanceof errors.JWTExpired ? 'token_expired' : 'token_invalid');
    }
  };
}

/** RFC 6750, section 3: the challenge names the error once a token was sent. */
function refused(code: 'token_invalid' | 'token_expired'): Problem {
  return new Problem(code, { headers: { 'www-authenticate': 'Bearer error="invalid_token"' } });
}
