declare const userIdBrand: unique symbol;

/** The `sub` of a verified token: 1 to 255 printable ASCII characters. */
export type UserId = string & { readonly [userIdBrand]: true };

const PRINTABLE_ASCII = /^[\x20-\x7e]{1,255}$/;

/** Whether a value can name a user. Guards against `sub` claims that are null, numbers, lists or objects. */
export function isUserId(value: unknown): value is UserId {
  return typeof value === 'string' && PRINTABLE_ASCII.test(value);
}
