/**
 * The name of a key owner: the tenant and the `sub` of a verified token. Two issuers can give the same `sub` to two
 * people, so the `sub` alone names nobody.
 */
declare const userIdBrand: unique symbol;

/**
 * `<tenant>:<encoded sub>`, for example `t3f9…:user_2abc`. It contains no brace, white space or glob character, and the
 * only colon is the one after the tenant. No two owners have the same one.
 */
export type UserId = string & { readonly [userIdBrand]: true };

const PRINTABLE_ASCII = /^[\x20-\x7e]{1,255}$/;
const TENANT = /^[A-Za-z0-9_-]{1,64}$/;
const USER_ID = /^[A-Za-z0-9_-]{1,64}:(?:[A-Za-z0-9_.@|-]|%[2-7][0-9A-F]){1,255}$/;
/** What the encoding leaves as it is. Everything else, `%` included, becomes `%` and two hexadecimal digits. */
const ENCODED = /[^A-Za-z0-9_.@|-]/g;

/** Whether a value can be the `sub` of a user. Guards against claims that are null, numbers, lists or objects. */
export function isSubject(value: unknown): value is string {
  return typeof value === 'string' && PRINTABLE_ASCII.test(value);
}

/** Whether a value can be the name of a tenant. */
export function isTenant(value: string): boolean {
  return TENANT.test(value);
}

export type TenantSettings = {
  readonly issuer: string | undefined;
  /** `AUTH_TENANT`. Undefined: derived from the issuer. */
  readonly tenant: string | undefined;
};

/** The tenant of a deployment. Two spellings of `AUTH_ISSUER` are two tenants, because they are two values of `iss`. */
export async function tenantOf({ issuer = '', tenant }: TenantSettings): Promise<string> {
  if (tenant !== undefined) return tenant;
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(issuer));
  // Long enough that no two issuers have the same tenant, and short because it is part of every name.
  const bytes = new Uint8Array(digest).slice(0, 10);
  return `t${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** @throws Error for a tenant or `sub` that is not allowed. Check with `isTenant` and `isSubject` first. */
export function toUserId(tenant: string, sub: string): UserId {
  const user = `${tenant}:${sub.replace(ENCODED, encodeCharacter)}`;
  if (!isTenant(tenant) || !isSubject(sub) || !isUserId(user)) throw new Error('not the name of a user');
  return user;
}

/** Whether a text that was read from the store is an owner's name, exactly as `toUserId` writes it. */
export function isUserId(value: string): value is UserId {
  if (!USER_ID.test(value)) return false;
  const { sub } = splitUserId(value);
  return isSubject(sub) && sub.replace(ENCODED, encodeCharacter) === value.slice(value.indexOf(':') + 1);
}

/** The tenant, and the `sub` as it is in the token. */
export function splitUserId(user: string): { readonly tenant: string; readonly sub: string } {
  const colon = user.indexOf(':');
  return { tenant: user.slice(0, colon), sub: decodeURIComponent(user.slice(colon + 1)) };
}

/** The `sub` as it is in the token. What people see names a user by it. */
export function subjectOf(user: UserId): string {
  return splitUserId(user).sub;
}

function encodeCharacter(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
