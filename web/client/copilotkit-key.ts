/**
 * The user's CopilotKit key, which is made for the browser, kept in `localStorage` for the time that its owner is
 * signed in. Where the page may not use storage, nothing is kept and everything else works.
 */
import type { BrowserKey } from './answers.ts';
import { fieldsOf, nullable, text } from './decode.ts';

const COPILOTKIT_KEY_ITEM = 'copilotkit_api_key';
/** Whose key it is and which one: a key without this next to it could be anybody's and is not used. */
const OWNER_ITEM = 'copilotkit_api_key_owner';

/** Dispatched on `window` when the kept key has changed or is gone. It does not carry the key. */
const COPILOTKIT_KEY_UPDATED = 'copilotkit-key-updated';

type Owner = { readonly sub: string; readonly updatedAt: string | null };

/** The kept key of that user, or undefined. */
export function keptKey(sub: string): string | undefined {
  return readOwner()?.sub === sub ? (read(COPILOTKIT_KEY_ITEM) ?? undefined) : undefined;
}

export function keepKey(sub: string, { key, updatedAt }: BrowserKey): void {
  const former = read(COPILOTKIT_KEY_ITEM);
  const owner: Owner = { sub, updatedAt };
  attempt(() => {
    localStorage.setItem(COPILOTKIT_KEY_ITEM, key);
    localStorage.setItem(OWNER_ITEM, JSON.stringify(owner));
  });
  if (former !== key) window.dispatchEvent(new Event(COPILOTKIT_KEY_UPDATED));
}

export function forgetKey(): void {
  const former = read(COPILOTKIT_KEY_ITEM);
  attempt(() => {
    localStorage.removeItem(COPILOTKIT_KEY_ITEM);
    localStorage.removeItem(OWNER_ITEM);
  });
  if (former !== null) window.dispatchEvent(new Event(COPILOTKIT_KEY_UPDATED));
}

/** Forgets a key that is not this user's. Undefined: nobody is signed in. */
export function forgetKeyUnlessOf(sub: string | undefined): void {
  if (read(COPILOTKIT_KEY_ITEM) !== null && (sub === undefined || readOwner()?.sub !== sub)) forgetKey();
}

/** Forgets a key that has been replaced or removed elsewhere, as the list of stored keys shows. */
export function forgetKeyUnlessFrom(updatedAt: string | null | undefined): void {
  const owner = readOwner();
  if (owner !== undefined && owner.updatedAt !== updatedAt) forgetKey();
}

function readOwner(): Owner | undefined {
  try {
    const { sub, updatedAt } = fieldsOf(JSON.parse(read(OWNER_ITEM) ?? ''));
    return { sub: text(sub), updatedAt: nullable(updatedAt, text) };
  } catch {
    return undefined;
  }
}

function read(item: string): string | null {
  return attempt(() => localStorage.getItem(item)) ?? null;
}

function attempt<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch {
    return undefined;
  }
}
