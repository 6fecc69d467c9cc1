/**
 * The browser client of this deployment: everything a page does with its user's keys. A key goes in through
 * `save` and never comes out again, except one that is made for the browser.
 */
import type { PromptRequest } from '../lib/generate/generate-body.ts';
import { createActivity } from './client/activity.ts';
import {
  type CheckedKey,
  decodeBrowserKey,
  decodeCatalogue,
  decodeCheckedKey,
  decodeGenerated,
  decodeStoredKey,
  decodeStoredKeys,
  type Generated,
  type Provider,
  type ProviderName,
  type StoredKey,
} from './client/answers.ts';
import { ApiError } from './client/api-error.ts';
import { callPublicApi, createCallApi, type GetToken } from './client/call-api.ts';
import {
  forgetKey,
  forgetKeyUnlessFrom,
  forgetKeyUnlessOf,
  keepKey,
  keptKey,
} from './client/copilotkit-key.ts';
import { createOnboarding } from './client/onboarding.ts';
import { readAnswer } from './client/read-answer.ts';
import { readTextStream, type TextStream } from './client/text-stream.ts';
import { tokenSubject } from './client/token-subject.ts';

export type ClientOptions = {
  readonly getToken: GetToken;
  /** Where the functions are, such as `https://keys.example`. Default: the page's own origin. */
  readonly apiBase?: string;
  /** Told when a request is made for another user than the one before, with undefined for nobody. */
  readonly onUserChange?: (sub: string | undefined) => void;
  /** Told when a request fails for want of a token that the server accepts. */
  readonly onSignInNeeded?: () => void;
};

export type GenerateRequest = Omit<PromptRequest, 'stream' | 'provider'> & {
  readonly provider?: ProviderName;
};
type CallOptions = { readonly signal?: AbortSignal };

export type Client = ReturnType<typeof createClient>;

const COPILOTKIT = 'copilotkit';

/**
 * A client for whoever `getToken` says is signed in, asked anew for every request. Every method throws ApiError
 * and nothing else, apart from the reason of an aborted signal and what `getToken` itself throws.
 */
export function createClient(options: ClientOptions) {
  const { getToken, apiBase = '', onUserChange = () => {}, onSignInNeeded = () => {} } = options;
  let currentUser: { readonly sub: string | undefined } | undefined;
  const callApi = createCallApi({ apiBase, getToken, noteUser, onSignInNeeded });

  function noteUser(sub: string | undefined): void {
    forgetKeyUnlessOf(sub);
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
      const answer = await callApi(keyPath(COPILOTKIT), { onUser });
      const browserKey = await readAnswer(decodeBrowserKey, answer);
      // Somebody else may have signed in while the answer was on its way.
      if (browserKey === undefined || owner === undefined || owner !== currentUser?.sub) return undefined;
      keepKey(owner, browserKey);
      return browserKey.key;
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'key_missing') throw error;
      forgetKey();
      return undefined;
    }
  }

  return {
    /** The providers there are, in the order a person sees them. */
    async providers(): Promise<readonly Provider[]> {
      return readAnswer(decodeCatalogue, await callPublicApi(apiBase, '/api/providers'));
    },

    /** The user's stored keys, without the keys. */
    async list(): Promise<readonly StoredKey[]> {
      const keys = await readAnswer(decodeStoredKeys, await callApi('/api/keys'));
      forgetKeyUnlessFrom(keys.find(({ provider }) => provider === COPILOTKIT)?.updatedAt);
      return keys;
    },

    /** Checks the key with its provider and stores it. `key_rejected`: nothing was stored. */
    async save(provider: ProviderName, key: string): Promise<StoredKey> {
      const path = keyPath(provider);
      const stored = await readAnswer(decodeStoredKey, await callApi(path, { method: 'PUT', json: { key } }));
      if (provider === COPILOTKIT) await fetchCopilotKitKey();
      return stored;
    },

    /** Asks the provider about the stored key again. */
    async check(provider: ProviderName): Promise<CheckedKey> {
      return readAnswer(decodeCheckedKey, await callApi(keyPath(provider), { method: 'POST' }));
    },

    async remove(provider: ProviderName): Promise<void> {
      await callApi(keyPath(provider), { method: 'DELETE' });
      if (provider === COPILOTKIT) forgetKey();
    },

    onboarding: createOnboarding(callApi),

    activity: createActivity(callApi),

    /** One prompt to a model, paid by the user's own key. */
    async generate(request: GenerateRequest, { signal }: CallOptions = {}): Promise<Generated> {
      const json = { ...request, stream: false };
      return readAnswer(decodeGenerated, await callApi('/api/generate', { method: 'POST', json, signal }));
    },

    /** The same, as it is written: `for await (const piece of await client.generateStream({ prompt }))`. */
    async generateStream(request: GenerateRequest, { signal }: CallOptions = {}): Promise<TextStream> {
      const json = { ...request, stream: true };
      return readTextStream(await callApi('/api/generate', { method: 'POST', json, signal }), signal);
    },

    /**
     * The user's CopilotKit key, which is made for the browser: from `localStorage['copilotkit_api_key']` if it
     * is there and this user's, else from the server and then kept there. Undefined when the user has none.
     */
    async copilotKitKey(): Promise<string | undefined> {
      const token = await getToken({ fresh: false });
      const sub = token ? tokenSubject(token) : undefined;
      noteUser(sub);
      if (sub === undefined) return undefined;
      return keptKey(sub) ?? (await fetchCopilotKitKey());
    },

    /** To be called when the user signs out: forgets what is kept of theirs in this browser. */
    signedOut(): void {
      noteUser(undefined);
    },
  };
}

function keyPath(provider: ProviderName): string {
  return `/api/keys/${encodeURIComponent(provider)}`;
}
