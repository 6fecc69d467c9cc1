/**
 * Which tokens are session tokens of a user, beyond a good signature of the expected issuer (RFC 8725): rules about the
 * header before the signature is verified, and about the verified claims. Each rule has a reason of its own.
 */
import type { JWTPayload, ProtectedHeaderParameters } from 'jose';
import { Problem, type Reason } from '../errors.ts';
import { MAX_CLOCK_SKEW_SECONDS } from '../limits.ts';
import { isSubject } from './user-id.ts';

export type TokenPolicy = {
  /** Accepted `azp`; empty: any, and none. */
  readonly authorizedParties: readonly string[];
  /** The `kid`s of keys that verify no token. */
  readonly refusedKids: readonly string[];
  /** The longest time from `iat` to `exp`. */
  readonly maxTokenSeconds: number;
};

/** Header members by which a token would bring or name its own key, or ask for extensions (RFC 7515, section 4.1). */
const REFUSED_HEADER_MEMBERS = ['jwk', 'jku', 'x5u', 'x5c', 'crit'];
/** Session tokens, and access tokens by RFC 9068. Logout tokens, proofs and other kinds of JWT have a `typ` of their own. */
const ACCEPTED_TYPES = new Set(['jwt', 'at+jwt']);
/** The client that a token was issued to: RFC 9068 and Cognito, Okta, OpenID Connect, Entra. */
const CLIENT_CLAIMS = ['client_id', 'cid', 'azp', 'appid'];
const CLIENT_GRANTS = ['client-credentials', 'client_credentials'];

/** @throws Problem `token_invalid` for a header that no session token has. */
export function assertHeader(header: ProtectedHeaderParameters, { refusedKids }: TokenPolicy): void {
  if (REFUSED_HEADER_MEMBERS.some((member) => Object.hasOwn(header, member))) {
    throw invalidToken('token_header_refused');
  }
  if (Object.hasOwn(header, 'typ') && !isAcceptedType(header.typ)) throw invalidToken('token_type_refused');
  if (!Object.hasOwn(header, 'kid')) return;
  // jose would ignore a `kid` that is no string, and try any key.
  if (typeof header.kid !== 'string') throw invalidToken('token_header_refused');
  if (refusedKids.includes(header.kid)) throw invalidToken('token_key_refused');
}

/** A media type: in any case, with or without `application/` (RFC 7515, section 4.1.9). */
function isAcceptedType(typ: unknown): boolean {
  return typeof typ === 'string' && ACCEPTED_TYPES.has(typ.toLowerCase().replace(/^application\//, ''));
}

/**
 * The `sub` of verified claims.
 *
 * @throws Problem `token_invalid` for claims that no user's session token has.
 */
export function readSubject(claims: JWTPayload, policy: TokenPolicy, now: Date): string {
  assertTimes(claims, policy.maxTokenSeconds, now);
  const { aud, azp, sub } = claims;
  // RFC 7800: whoever presents such a token has to prove that they have a key, which nothing here checks.
  if (Object.hasOwn(claims, 'cnf')) throw invalidToken('token_sender_constrained');
  if (!isAudience(aud)) throw invalidToken('token_audience_malformed');
  if (azp !== undefined && typeof azp !== 'string') throw invalidToken('token_party_malformed');
  if (policy.authorizedParties.length > 0 && (azp === undefined || !policy.authorizedParties.includes(azp))) {
    throw invalidToken('token_party_wrong');
  }
  if (!isSubject(sub)) throw invalidToken('token_subject_unusable');
  if (namesClient(claims)) throw invalidToken('token_without_user');
  return sub;
}

function assertTimes({ iat, exp, nbf }: JWTPayload, maxTokenSeconds: number, now: Date): void {
  if (!isTime(iat) || !isTime(exp) || (nbf !== undefined && !isTime(nbf))) {
    throw invalidToken('token_time_malformed');
  }
  if (iat > now.getTime() / 1000 + MAX_CLOCK_SKEW_SECONDS) throw invalidToken('token_issued_in_future');
  if (exp <= iat) throw invalidToken('token_expiry_before_issue');
  if (exp - iat > maxTokenSeconds) throw invalidToken('token_lifetime_too_long');
}

/** Whole seconds. RFC 7519 allows fractions, which no known issuer sends. */
function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

/** RFC 7519, section 4.1.3. A token may have no audience where none is expected. */
function isAudience(value: unknown): boolean {
  const members: readonly unknown[] = Array.isArray(value) ? value : [value ?? ''];
  return members.every((member) => typeof member === 'string');
}

/**
 * Whether a token was issued to a program and not to a user, by the client credentials grant (RFC 6749, section 4.4).
 *
 * - RFC 9068, section 2.2: `sub` then names the client. So do Okta (`cid`), Cognito (`client_id`) and the ID tokens of
 *   Google's service accounts (`azp`).
 * - Auth0: `sub` is `<client id>@clients` and `gty` is `client-credentials`.
 * - Entra: `idtyp` is `app`, if the API asks for this optional claim. docs/threat-model.md says so.
 */
function namesClient(claims: JWTPayload): boolean {
  const { sub, gty, idtyp } = claims;
  const grants: readonly unknown[] = Array.isArray(gty) ? gty : [gty];
  return (
    CLIENT_CLAIMS.some((name) => claims[name] === sub) ||
    sub?.endsWith('@clients') === true ||
    grants.some((grant) => CLIENT_GRANTS.some((name) => name === grant)) ||
    idtyp === 'app'
  );
}

export function invalidToken(reason: Reason): Problem {
  return refusedToken('token_invalid', reason);
}

/** RFC 6750, section 3: the challenge names the error once a token was sent. */
export function refusedToken(code: 'token_invalid' | 'token_expired', reason: Reason): Problem {
  return new Problem(code, { reason, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } });
}
