/** From a session token to the user it names, or a refusal. Nothing of the token gets into an error. */
import {
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
  type ProtectedHeaderParameters,
} from 'jose';
import { Problem, type Reason } from '../errors.ts';
import { MAX_CLOCK_SKEW_SECONDS, MAX_TOKEN_CHARACTERS } from '../limits.ts';
import type { Secret } from '../secret.ts';
import { assertHeader, invalidToken, readSubject, refusedToken, type TokenPolicy } from './token-policy.ts';
import { toUserId, type UserId } from './user-id.ts';

export type Expectations = TokenPolicy & {
  readonly issuer: string;
  /** The tenant of this deployment's users. */
  readonly tenant: string;
  /** Accepted `aud`; empty: any, and none. */
  readonly audience: readonly string[];
};

export type VerifyToken = (token: Secret, now: Date) => Promise<UserId>;

const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

/**
 * Verifies signature, `iss`, `exp`, `nbf`, `aud` where expected, and the rules of the token policy (RFC 7519, RFC 8725).
 * The user is the `sub` of the verified claims, in this deployment's tenant, and nothing else.
 *
 * @throws Problem `token_expired`; `token_invalid` for every other refusal, with the rule that refused the token as its
 *   reason; `issuer_unavailable` when the keys cannot be fetched, which says nothing about the token.
 */
export function createTokenVerifier(expected: Expectations, findKey: JWTVerifyGetKey): VerifyToken {
  return async (token, now) => {
    const text = token.reveal();
    if (text.length > MAX_TOKEN_CHARACTERS) throw invalidToken('token_too_long');
    assertHeader(readHeader(text), expected);
    const claims = await verifySignatureAndTimes(text, expected, findKey, now);
    return toUserId(expected.tenant, readSubject(claims, expected, now));
  };
}

function readHeader(token: string): ProtectedHeaderParameters {
  try {
    return decodeProtectedHeader(token);
  } catch {
    throw invalidToken('token_malformed');
  }
}

async function verifySignatureAndTimes(
  token: string,
  { issuer, audience }: Expectations,
  findKey: JWTVerifyGetKey,
  now: Date,
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, findKey, {
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
    if (error instanceof errors.JWTExpired) throw refusedToken('token_expired', 'token_expired');
    throw invalidToken(reasonOf(error));
  }
}

const CLAIM_REASONS: ReadonlyMap<string, Reason> = new Map([
  ['iss', 'token_issuer_wrong'],
  ['aud', 'token_audience_wrong'],
  ['nbf', 'token_not_yet_valid'],
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
