/** From a session token to the user it names, or a refusal. Nothing of the token gets into an error. */
import { decodeProtectedHeader, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { Problem, type Reason } from '../errors.ts';
import { MAX_CLOCK_SKEW_SECONDS, MAX_TOKEN_CHARACTERS } from '../limits.ts';
import type { Secret } from '../secret.ts';
import { isSubject, toUserId, type UserId } from './user-id.ts';

export type Expectations = {
  readonly issuer: string;
  /** The tenant of this deployment's users. */
  readonly tenant: string;
  readonly audience: readonly string[];
  readonly authorizedParties: readonly string[];
};

export type VerifyToken = (token: Secret, now: Date) => Promise<UserId>;

const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
/** Header members by which a token would bring or name its own key, or ask for extensions (RFC 7515, section 4.1). */
const REFUSED_HEADER_MEMBERS = ['jwk', 'jku', 'x5u', 'x5c', 'crit'];

/**
 * Verifies signature, `iss`, `exp`, `nbf`, `iat`, `sub`, and `aud` and `azp` where expected (RFC 7519, RFC 8725).
 * The user is the `sub` of the verified claims, in this deployment's tenant, and nothing else.
 *
 * @throws Problem `token_expired`; `token_invalid` for every other refusal, with the rule that refused the token as its
 *   reason; `issuer_unavailable` when the keys cannot be fetched, which says nothing about the token.
 */
export function createTokenVerifier(expected: Expectations, findKey: JWTVerifyGetKey): VerifyToken {
  return async (token, now) => {
    const text = token.reveal();
    if (text.length > MAX_TOKEN_CHARACTERS) throw invalid('token_too_long');
    assertHeader(text);
    const payload = await verifySignatureAndTimes(text, expected, findKey, now);
    const { iat = Number.POSITIVE_INFINITY, azp, sub } = payload;
    if (iat > now.getTime() / 1000 + MAX_CLOCK_SKEW_SECONDS) throw invalid('token_issued_in_future');
    if (expected.authorizedParties.length > 0 && !expected.authorizedParties.includes(String(azp))) {
      throw invalid('token_party_wrong');
    }
    if (!isSubject(sub)) throw invalid('token_subject_unusable');
    return toUserId(expected.tenant, sub);
  };
}

function assertHeader(token: string): void {
  let header: object;
  try {
    header = decodeProtectedHeader(token);
  } catch {
    throw invalid('token_malformed');
  }
  if (REFUSED_HEADER_MEMBERS.some((member) => Object.hasOwn(header, member))) {
    throw invalid('token_header_refused');
  }
}

async function verifySignatureAndTimes(
  token: string,
  { issuer, audience }: Expectations,
  findKey: JWTVerifyGetKey,
  now: Date,
) {
  try {
    const { payload } = await jwtVerify(token, strongKey(findKey), {
      algorithms: ALGORITHMS,
      issuer,
      ...(audience.length > 0 ? { audience: [...audience] } : {}),
      requiredClaims: ['iss', 'sub', 'exp', 'iat'],
      clockTolerance: MAX_CLOCK_SKEW_SECONDS,
      currentDate: now,
    });
    return payload;
  } catch (error) {
    if (error instanceof Problem) throw error;
    if (error instanceof errors.JWTExpired) throw refused('token_expired', 'token_expired');
    throw invalid(reasonOf(error));
  }
}

/** With an RSA exponent of 1 anybody can make a signature that verifies. jose checks only the length of the key. */
function strongKey(findKey: JWTVerifyGetKey): JWTVerifyGetKey {
  return async (header, token) => {
    const key = await findKey(header, token);
    if (key instanceof CryptoKey && 'publicExponent' in key.algorithm) {
      const { publicExponent } = key.algorithm;
      const isOne =
        publicExponent instanceof Uint8Array && publicExponent.join('').replace(/^0+/, '') === '1';
      if (isOne) throw invalid('token_key_unusable');
    }
    return key;
  };
}

const CLAIM_REASONS: ReadonlyMap<string, Reason> = new Map([
  ['iss', 'token_issuer_wrong'],
  ['aud', 'token_audience_wrong'],
  ['nbf', 'token_not_yet_valid'],
  ['iat', 'token_issued_in_future'],
]);

/** Which of jose's rules refused the token, by jose's own codes. */
function reasonOf(error: unknown): Reason {
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason === 'missing') {
      return error.claim === 'aud' ? 'token_audience_missing' : 'token_claim_missing';
    }
    if (error.reason === 'invalid') return 'token_claim_malformed';
    return CLAIM_REASONS.get(error.claim) ?? 'token_claim_malformed';
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'token_signature_wrong';
  // The signature is right, and what it signs is no JSON object.
  if (error instanceof errors.JWTInvalid) return 'token_payload_malformed';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'token_algorithm_refused';
  if (error instanceof errors.JOSENotSupported) return 'token_algorithm_refused';
  if (error instanceof errors.JWKSNoMatchingKey) return 'token_key_unknown';
  if (error instanceof errors.JWKSMultipleMatchingKeys) return 'token_key_ambiguous';
  if (error instanceof errors.JOSEError) return 'token_malformed';
  // The runtime throws this when the key does not fit the token's algorithm.
  return 'token_key_unusable';
}

function invalid(reason: Reason): Problem {
  return refused('token_invalid', reason);
}

/** RFC 6750, section 3: the challenge names the error once a token was sent. */
function refused(code: 'token_invalid' | 'token_expired', reason: Reason): Problem {
  return new Problem(code, { reason, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } });
}
