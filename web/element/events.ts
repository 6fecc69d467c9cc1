/** The events of `<user-keys>`. No event contains a key. */
import type { StoredKey } from '../client/api-responses.ts';
import type { Onboarding } from '../client/onboarding.ts';

export type UserKeysEventDetails = {
  /** A key was stored. Its status is the result of the check with the provider. */
  readonly 'user-keys-saved': StoredKey;
  /** A stored key was checked again, or its limits were changed. */
  readonly 'user-keys-checked': StoredKey;
  /** A prompt was answered using this provider's key. */
  readonly 'user-keys-used': Pick<StoredKey, 'provider'>;
  readonly 'user-keys-removed': Pick<StoredKey, 'provider'>;
  /** A step was completed or skipped. */
  readonly 'user-keys-onboarding': Onboarding;
  /** There is no token, or the server also rejected a fresh one. The app should ask the user to sign in. */
  readonly 'user-keys-sign-in-needed': undefined;
};

type UserKeysEvents = {
  [Name in keyof UserKeysEventDetails]: CustomEvent<UserKeysEventDetails[Name]>;
};

declare global {
  interface HTMLElementEventMap extends UserKeysEvents {}
}

/** Dispatches an event that bubbles and crosses shadow roots. */
export function emit<Name extends keyof UserKeysEventDetails>(
  from: EventTarget,
  name: Name,
  detail: UserKeysEventDetails[Name],
): void {
  from.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
}
