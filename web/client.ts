/**
 * The browser client of this deployment. A page uses it for everything it does with its user's keys. `save` stores
 * a key; no method returns it again, except `copilotKitKey`, because CopilotKit's public key is meant for browsers.
 */
import type { PromptRequest } from '../lib/generate/generate-body.ts';
import { createActivity } from './client/activity.ts';
import { ApiError } from './client/api-error.ts';
import { createApiFetch, fetchPublic, type GetToken, readJson } from './client/api-fetch.ts';
import {
  type CheckedKey,
  type GenerateResult,
  type Provider,
  type ProviderId,
  parseBrowserKey,
  parseCheckedKey,
  parseGenerateResult,
  parseProviders,
  parseStoredKey,
  parseStoredKeys,
  type StoredKey,
} from './client/api-responses.ts';
import {
  cacheKey,
  clearCachedKey,
  clearCachedKeyUnlessCurrent,
  clearCachedKeyUnlessOwnedBy,
  readCachedKey,
} from './client/copilotkit-key.ts';
import { createOnboarding } from './client/onboarding.ts';
import { readTextStream, type TextStream } from './client/text-stream.ts';
import { readTokenSubject } from './client/token-subject.ts';

export type ClientOptions = {
  readonly getToken: GetToken;
  /** Origin of the API, such as `https://keys.example`. Default: the page's own origin. */
  readonly apiBase?: string;
  /** Called when a request is made for another user than the last one. Undefined: nobody is signed in. */
  readonly onUserChange?: (sub: string | undefined) => void;
  /** Called when a request fails because there is no token that the server accepts. */
  readonly onSignInNeeded?: () => void;
};

export type GenerateRequest = Omit<PromptRequest, 'stream' | 'provider'> & {
  readonly provider?: ProviderId;
};
type CallOptions = { readonly signal?: AbortSignal };

export type Client = ReturnType<typeof createClient>;

const COPILOTKIT = 'copilotkit';

/**
 * A client for the user that `getToken` identifies. `getToken` is called before every request. Methods throw only
 * ApiError, the reason of an aborted signal, or an error that `getToken` throws.
 */
export function createClient(options: ClientOptions) {
  const { getToken, apiBase = '', onUserChange = () => {}, onSignInNeeded = () => {} } = options;
  let currentUser: { readonly sub: string | undefined } | undefined;
  const apiFetch = createApiFetch({ apiBase, getToken, onUser: trackUser, onSignInNeeded });

  function trackUser(sub: string | undefined): void {
    clearCachedKeyUnlessOwnedBy(sub);
    const changed = currentUser !== undefined && currentUser.sub !== sub;
    currentUser = { sub };
    if (changed) onUserChange(sub);
  }

  async function fetchCopilotKitKey(): Promise<string | undefined> {
    let owner: string | undefined;
    const onUser = (sub: string | undefined) => {
      owner = sub;
    };
    try {
      const response = await apiFetch(keyPath(COPILOTKIT), { onUser });
      const browserKey = await readJson(parseBrowserKey, response);
      // Another user may have signed in while the request was running.
      if (browserKey === undefined || owner === undefined || owner !== currentUser?.sub) return undefined;
      cacheKey(owner, browserKey);
      return browserKey.key;
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'key_missing') throw error;
      clearCachedKey();
      return undefined;
    }
  }

  return {
    /** The provider catalogue, in display order. */
    async providers(): Promise<readonly Provider[]> {
      return readJson(parseProviders, await fetchPublic(apiBase, '/api/providers'));
    },

    /** The metadata of the user's stored keys. */
    async list(): Promise<readonly StoredKey[]> {
      const keys = await readJson(parseStoredKeys, await apiFetch('/api/keys'));
      clearCachedKeyUnlessCurrent(keys.find(({ provider }) => provider === COPILOTKIT)?.updatedAt);
      return keys;
    },

    /** Checks the key with its provider and stores it. Throws `key_rejected` and stores nothing if the provider rejects it. */
    async save(provider: ProviderId, key: string): Promise<StoredKey> {
      const path = keyPath(provider);
      const stored = await readJson(parseStoredKey, await apiFetch(path, { method: 'PUT', json: { key } }));
      if (provider === COPILOTKIT) await fetchCopilotKitKey();
      return stored;
    },

    /** Checks the stored key with its provider again. */
    async check(provider: ProviderId): Promise<CheckedKey> {
      return readJson(parseCheckedKey, await apiFetch(keyPath(provider), { method: 'POST' }));
    },

    async remove(provider: ProviderId): Promise<void> {
      await apiFetch(keyPath(provider), { method: 'DELETE' });
      if (provider === COPILOTKIT) clearCachedKey();
    },

    onboarding: createOnboarding(apiFetch),

    activity: createActivity(apiFetch),

    /** Sends one prompt to a model with the user's own key. */
    async generate(request: GenerateRequest, { signal }: CallOptions = {}): Promise<GenerateResult> {
      const json = { ...request, stream: false };
      return readJson(parseGenerateResult, await apiFetch('/api/generate', { method: 'POST', json, signal }));
    },

    /** Like `generate`, but streams the text: `for await (const piece of await client.generateStream({ prompt }))`. */
    async generateStream(request: GenerateRequest, { signal }: CallOptions = {}): Promise<TextStream> {
      const json = { ...request, stream: true };
      return readTextStream(await apiFetch('/api/generate', { method: 'POST', json, signal }), signal);
    },

    /**
     * The user's CopilotKit key, or undefined when the user has none. Comes from
     * `localStorage['copilotkit_api_key']` if that holds this user's key. Otherwise it is fetched from the server
     * and cached there.
     */
    async copilotKitKey(): Promise<string | undefined> {
      const token = await getToken({ fresh: false });
      const sub = token ? readTokenSubject(token) : undefined;
      trackUser(sub);
      if (sub === undefined) return undefined;
      return readCachedKey(sub) ?? (await fetchCopilotKitKey());
    },

    /** Call this when the user signs out. It removes what this browser has cached for them. */
    signedOut(): void {
      trackUser(undefined);
    },
  };
}

function keyPath(provider: ProviderId): string {
  return `/api/keys/${encodeURIComponent(provider)}`;
}
