/**
 * Caches the user's CopilotKit key in `localStorage` while its owner is signed in. CopilotKit's public key is meant
 * for browsers. If the page cannot use storage, nothing is cached and everything else still works.
 */
import type { BrowserKey } from './api-responses.ts';
import { nullable, parseObject, parseString } from './json-parsers.ts';

const COPILOTKIT_KEY_ITEM = 'copilotkit_api_key';
/** The key's owner and version. A cached key without this item could belong to anyone, so it is not used. */
const OWNER_ITEM = 'copilotkit_api_key_owner';

/** Dispatched on `window` when the cached key has changed or was removed. The event does not contain the key. */
const COPILOTKIT_KEY_UPDATED = 'copilotkit-key-updated';

type Owner = { readonly sub: string; readonly updatedAt: string | null };

/** The cached key of this user, or undefined. */
export function readCachedKey(sub: string): string | undefined {
  return readOwner()?.sub === sub ? (readItem(COPILOTKIT_KEY_ITEM) ?? undefined) : undefined;
}

export function cacheKey(sub: string, { key, updatedAt }: BrowserKey): void {
  const previous = readItem(COPILOTKIT_KEY_ITEM);
  const owner: Owner = { sub, updatedAt };
  tryStorage(() => {
    localStorage.setItem(COPILOTKIT_KEY_ITEM, key);
    localStorage.setItem(OWNER_ITEM, JSON.stringify(owner));
  });
  if (previous !== key) window.dispatchEvent(new Event(COPILOTKIT_KEY_UPDATED));
}

export function clearCachedKey(): void {
  const previous = readItem(COPILOTKIT_KEY_ITEM);
  tryStorage(() => {
    localStorage.removeItem(COPILOTKIT_KEY_ITEM);
    localStorage.removeItem(OWNER_ITEM);
  });
  if (previous !== null) window.dispatchEvent(new Event(COPILOTKIT_KEY_UPDATED));
}

/** Removes a cached key that belongs to another user. Undefined: nobody is signed in. */
export function clearCachedKeyUnlessOwnedBy(sub: string | undefined): void {
  if (readItem(COPILOTKIT_KEY_ITEM) !== null && (sub === undefined || readOwner()?.sub !== sub))
    clearCachedKey();
}

/** Removes a cached key that was replaced or deleted in another browser: its `updatedAt` is out of date. */
export function clearCachedKeyUnlessCurrent(updatedAt: string | null | undefined): void {
  const owner = readOwner();
  if (owner !== undefined && owner.updatedAt !== updatedAt) clearCachedKey();
}

function readOwner(): Owner | undefined {
  try {
    const { sub, updatedAt } = parseObject(JSON.parse(readItem(OWNER_ITEM) ?? ''));
    return { sub: parseString(sub), updatedAt: nullable(updatedAt, parseString) };
  } catch {
    return undefined;
  }
}

function readItem(item: string): string | null {
  return tryStorage(() => localStorage.getItem(item)) ?? null;
}

function tryStorage<T>(access: () => T): T | undefined {
  try {
    return access();
  } catch {
    return undefined;
  }
}
