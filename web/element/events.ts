/** What `<user-keys>` tells its host. No event holds a key. */
import type { StoredKey } from '../client/answers.ts';
import type { Onboarding } from '../client/onboarding.ts';

export type UserKeysEventDetails = {
  /** A key was stored; its status says what the provider made of it. */
  readonly 'user-keys-saved': StoredKey;
  /** A stored key was checked again. */
  readonly 'user-keys-checked': StoredKey;
  /** A prompt was answered, paid with that provider's key. */
  readonly 'user-keys-used': Pick<StoredKey, 'provider'>;
  readonly 'user-keys-removed': Pick<StoredKey, 'provider'>;
  /** A step was completed or skipped, or onboarding was started over. */
  readonly 'user-keys-onboarding': Onboarding;
  /** There is no token, or the server refuses also a fresh one: let the user sign in. */
  readonly 'user-keys-sign-in-needed': undefined;
};

type UserKeysEvents = {
  [Name in keyof UserKeysEventDetails]: CustomEvent<UserKeysEventDetails[Name]>;
};

declare global {
  interface HTMLElementEventMap extends UserKeysEvents {}
}

/** Dispatches an event that leaves shadow roots and bubbles. */
export function emit<Name extends keyof UserKeysEventDetails>(
  from: EventTarget,
  name: Name,
  detail: UserKeysEventDetails[Name],
): void {
  from.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
}
