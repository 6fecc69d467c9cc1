/**
 * The providers, as data. To add a provider, add an entry here; no code is needed.
 *
 * Sources: each provider's API reference and its official SDK, read in November 2026. How a provider answers an
 * invalid key is taken from its documentation, not from test calls. An answer that is not listed counts as `unknown`:
 * the key is then stored as unverified, never refused.
 */

/** What one answer to a key check says about the key. The first matching rule decides. */
export type CheckRule = {
  readonly status: number;
  /** The answer's body must contain this text. */
  readonly includes?: string;
  readonly says: 'valid' | 'rejected' | 'unknown';
};

type CatalogueEntry = {
  readonly id: string;
  readonly name: string;
  /** What people use it for, in a few words. */
  readonly purpose: string;
  /** The environment variables from which its SDKs and users' code read the key. Local mode writes the first. */
  readonly variables: readonly [string, ...string[]];
  /** Scheme and host of every call, without a path. `<ID>_BASE_URL` replaces it. */
  readonly origin: string;
  /** The header that carries the key. */
  readonly credential: { readonly header: string; readonly scheme?: 'Bearer' };
  /**
   * From this API version on, the key is sent as a bearer token. `header` is the request header that names the version,
   * and `version` is a date. If the caller uses an older version, or sent their token in another header, the key is
   * sent in the header of `credential`.
   */
  readonly bearerSince?: { readonly header: string; readonly version: string };
  /** Query parameters in which its SDKs send a key. They are never forwarded. */
  readonly queryCredentials?: readonly string[];
  /** Headers that every call needs. A value that the caller sends takes precedence. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A free call that shows whether a key is valid. Without rules, 2xx means valid and 401 means rejected. */
  readonly check: {
    readonly method: 'GET' | 'POST';
    readonly path: string;
    /** Set if the check has a different origin. An override of the origin replaces this too. */
    readonly origin?: string;
    readonly rules?: readonly CheckRule[];
  };
  /** Paths that the provider answers without checking the key, so a success there says nothing about the key. */
  readonly openPaths?: readonly string[];
  /**
   * Response headers and JSON members that contain a provider URL which SDKs call next, with the caller's token. The
   * gateway rewrites these URLs to its own.
   */
  readonly links?: { readonly headers?: readonly string[]; readonly members?: readonly string[] };
  /**
   * Paths that the gateway refuses: they return a key, make one, or administer the account. `*` stands for any number of
   * segments; `/**` at the end for the path and everything below it. Without paths, the sources name none.
   */
  readonly denied: { readonly paths: readonly string[]; readonly sources: readonly [string, ...string[]] };
  /** The page where a person gets a key. */
  readonly keyPage: string;
  /** The key is made for the browser and may be given to its owner's page. */
  readonly publishable?: true;
};

const bearer = { header: 'authorization', scheme: 'Bearer' } as const;
const says = (status: number, result: CheckRule['says'], includes?: string): CheckRule => ({
  status,
  says: result,
  ...(includes === undefined ? {} : { includes }),
});

const entries = [
  {
    id: 'gemini',
    name: 'Google Gemini',
    purpose: 'Gemini models',
    variables: ['GEMINI_API_KEY', 'GOOGLE_API_KEY', 'GOOGLE_GENERATIVE_AI_API_KEY'],
    origin: 'https://generativelanguage.googleapis.com',
    credential: { header: 'x-goog-api-key' },
    queryCredentials: ['key', 'access_token'],
    check: {
      method: 'GET',
      path: '/v1beta/models?pageSize=1',
      rules: [says(400, 'rejected', 'API_KEY_INVALID'), says(401, 'unknown')],
    },
    links: { headers: ['x-goog-upload-url'] },
    denied: {
      paths: ['/*/auth_tokens/**', '/*/authTokens/**'],
      sources: ['https://ai.google.dev/gemini-api/docs/live-api/ephemeral-tokens'],
    },
    keyPage: 'https://aistudio.google.com/apikey',
  },
  {
    id: 'exa',
    name: 'Exa',
    purpose: 'Web search for agents',
    variables: ['EXA_API_KEY'],
    origin: 'https://api.exa.ai',
    credential: { header: 'x-api-key' },
    check: { method: 'GET', path: '/websets/v0/teams/me' },
    denied: {
      paths: ['/team-management/**', '/api-keys/**'],
      sources: ['https://exa.ai/docs/reference/team-management/delete-api-key'],
    },
    keyPage: 'https://dashboard.exa.ai/api-keys',
  },
  {
    id: 'copilotkit',
    name: 'CopilotKit',
    purpose: 'Copilots inside apps',
    variables: [
      'COPILOTKIT_API_KEY',
      'NEXT_PUBLIC_COPILOTKIT_API_KEY',
      'NEXT_PUBLIC_COPILOT_CLOUD_PUBLIC_API_KEY',
    ],
    origin: 'https://api.cloud.copilotkit.ai',
    credential: { header: 'x-copilotcloud-public-api-key' },
    check: { method: 'GET', path: '/ciu' },
    denied: { paths: [], sources: ['https://docs.copilotkit.ai/'] },
    keyPage: 'https://cloud.copilotkit.ai',
    publishable: true,
  },
  {
    id: 'openai',
    name: 'OpenAI',
    purpose: 'GPT models',
    variables: ['OPENAI_API_KEY'],
    origin: 'https://api.openai.com',
    credential: bearer,
    check: {
      method: 'GET',
      path: '/v1/models',
      rules: [says(401, 'valid', 'Missing scopes'), says(403, 'valid', 'Missing scopes')],
    },
    denied: {
      paths: [
        '/v1/organization/**',
        '/v1/organizations/**',
        '/v1/projects/**',
        '/v1/dashboard/**',
        '/v1/realtime/client_secrets/**',
        '/v1/realtime/translations/client_secrets/**',
        '/v1/realtime/sessions/**',
        '/v1/realtime/transcription_sessions/**',
        '/v1/chatkit/sessions/**',
      ],
      sources: [
        'https://developers.openai.com/api/reference/administration/overview',
        'https://developers.openai.com/api/reference/cli/resources/realtime/subresources/client_secrets',
      ],
    },
    keyPage: 'https://platform.openai.com/api-keys',
  },
  {
    id: 'anthropic',
    name: 'Anthropic',
    purpose: 'Claude models',
    // Not ANTHROPIC_AUTH_TOKEN: SDKs below 1.0 would send the key in two headers.
    variables: ['ANTHROPIC_API_KEY'],
    origin: 'https://api.anthropic.com',
    credential: { header: 'x-api-key' },
    bearerSince: { header: 'anthropic-version', version: '2026-10-21' },
    headers: { 'anthropic-version': '2023-06-01' },
    check: { method: 'GET', path: '/v1/models?limit=1' },
    denied: {
      paths: ['/v1/organizations/**', '/v1/oauth/**', '/v1/environments/*/work/**'],
      sources: ['https://platform.claude.com/docs/manage-claude/admin-api'],
    },
    keyPage: 'https://console.anthropic.com/settings/keys',
  },
  {
    id: 'mistral',
    name: 'Mistral',
    purpose: 'Mistral models',
    variables: ['MISTRAL_API_KEY'],
    origin: 'https://api.mistral.ai',
    credential: bearer,
    check: { method: 'GET', path: '/v1/models' },
    denied: {
      paths: ['/v1/client/sessions/**', '/api/admin/**'],
      sources: [
        'https://docs.mistral.ai/studio/audio/speech_to_text/realtime_transcription/client_auth',
        'https://docs.mistral.ai/admin/admin-api/authentication',
      ],
    },
    keyPage: 'https://console.mistral.ai/api-keys',
  },
  {
    id: 'groq',
    name: 'Groq',
    purpose: 'Fast open models',
    variables: ['GROQ_API_KEY'],
    origin: 'https://api.groq.com',
    credential: bearer,
    check: { method: 'GET', path: '/openai/v1/models' },
    denied: { paths: [], sources: ['https://console.groq.com/docs/api-reference'] },
    keyPage: 'https://console.groq.com/keys',
  },
  {
    id: 'tavily',
    name: 'Tavily',
    purpose: 'Web search for agents',
    variables: ['TAVILY_API_KEY'],
    origin: 'https://api.tavily.com',
    credential: bearer,
    check: { method: 'GET', path: '/usage' },
    denied: {
      paths: ['/generate-keys/**', '/deactivate-keys/**', '/key-info/**'],
      sources: ['https://docs.tavily.com/documentation/enterprise/deactivate-keys'],
    },
    keyPage: 'https://app.tavily.com/home',
  },
  {
    id: 'serper',
    name: 'Serper',
    purpose: 'Google search results',
    variables: ['SERPER_API_KEY'],
    origin: 'https://google.serper.dev',
    credential: { header: 'x-api-key' },
    check: { method: 'GET', path: '/account', rules: [says(403, 'rejected')] },
    denied: { paths: [], sources: ['https://serper.dev/'] },
    keyPage: 'https://serper.dev/api-keys',
  },
  {
    id: 'firecrawl',
    name: 'Firecrawl',
    purpose: 'Web pages as clean text',
    variables: ['FIRECRAWL_API_KEY'],
    origin: 'https://api.firecrawl.dev',
    credential: bearer,
    check: { method: 'GET', path: '/v2/team/credit-usage' },
    links: { members: ['next'] },
    denied: {
      paths: ['/admin/**', '/partner/**'],
      sources: ['https://docs.firecrawl.dev/partner-integration'],
    },
    keyPage: 'https://www.firecrawl.dev/app/api-keys',
  },
  {
    id: 'openrouter',
    name: 'OpenRouter',
    purpose: 'Many models behind one key',
    variables: ['OPENROUTER_API_KEY'],
    origin: 'https://openrouter.ai',
    credential: bearer,
    check: { method: 'GET', path: '/api/v1/key' },
    openPaths: ['/api/v1/models'],
    denied: {
      paths: ['/api/v1/keys/**', '/api/v1/key/**', '/api/v1/auth/**', '/api/v1/byok/**'],
      sources: ['https://openrouter.ai/docs/api/api-reference/oauth/exchange-authorization-code-for-api-key'],
    },
    keyPage: 'https://openrouter.ai/settings/keys',
  },
  {
    id: 'cohere',
    name: 'Cohere',
    purpose: 'Models and embeddings',
    variables: ['CO_API_KEY', 'COHERE_API_KEY'],
    origin: 'https://api.cohere.com',
    credential: bearer,
    check: {
      method: 'POST',
      path: '/v1/check-api-key',
      rules: [says(200, 'rejected', '"valid":false'), says(200, 'rejected', '"valid": false')],
    },
    denied: { paths: [], sources: ['https://docs.cohere.com/reference/about'] },
    keyPage: 'https://dashboard.cohere.com/api-keys',
  },
  {
    id: 'deepseek',
    name: 'DeepSeek',
    purpose: 'DeepSeek models',
    variables: ['DEEPSEEK_API_KEY'],
    origin: 'https://api.deepseek.com',
    credential: bearer,
    check: { method: 'GET', path: '/user/balance' },
    denied: { paths: [], sources: ['https://api-docs.deepseek.com/'] },
    keyPage: 'https://platform.deepseek.com/api_keys',
  },
  {
    id: 'xai',
    name: 'xAI',
    purpose: 'Grok models',
    variables: ['XAI_API_KEY'],
    origin: 'https://api.x.ai',
    credential: bearer,
    check: {
      method: 'GET',
      path: '/v1/api-key',
      rules: [says(400, 'rejected', 'Incorrect API key'), says(400, 'rejected')],
    },
    denied: {
      paths: ['/v1/realtime/client_secrets/**', '/v1/api-key/**', '/v1/api-keys/**', '/auth/**'],
      sources: [
        'https://docs.x.ai/developers/model-capabilities/audio/ephemeral-tokens',
        'https://docs.x.ai/developers/rest-api-reference/management',
      ],
    },
    keyPage: 'https://console.x.ai',
  },
  {
    id: 'perplexity',
    name: 'Perplexity',
    purpose: 'Answers with web sources',
    variables: ['PERPLEXITY_API_KEY'],
    origin: 'https://api.perplexity.ai',
    credential: bearer,
    check: { method: 'GET', path: '/async/chat/completions' },
    openPaths: ['/router/v1/models'],
    denied: {
      paths: ['/*/generate_auth_token/**', '/*/revoke_auth_token/**'],
      sources: ['https://docs.perplexity.ai/docs/admin/api-key-management'],
    },
    keyPage: 'https://www.perplexity.ai/account/api/keys',
  },
  {
    id: 'together',
    name: 'Together AI',
    purpose: 'Open models, hosted',
    variables: ['TOGETHER_API_KEY'],
    origin: 'https://api.together.ai',
    credential: bearer,
    check: { method: 'GET', path: '/v1/models' },
    denied: {
      paths: ['/v1/projects/**'],
      sources: [
        'https://docs.together.ai/reference/projects-list',
        'https://docs.together.ai/docs/api-keys-authentication',
      ],
    },
    keyPage: 'https://api.together.ai/settings/api-keys',
  },
  {
    id: 'fireworks',
    name: 'Fireworks AI',
    purpose: 'Open models, hosted',
    variables: ['FIREWORKS_API_KEY'],
    origin: 'https://api.fireworks.ai',
    credential: bearer,
    check: { method: 'GET', path: '/inference/v1/models', rules: [says(403, 'rejected')] },
    denied: {
      paths: ['/v1/accounts/*/users/**', '/v1/accounts/*/apiKeys/**', '/v1/accounts/*/secrets/**'],
      sources: [
        'https://docs.fireworks.ai/api-reference/create-api-key',
        'https://fireworks.ai/docs/api-reference/get-secret',
      ],
    },
    keyPage: 'https://app.fireworks.ai/settings/users/api-keys',
  },
  {
    id: 'huggingface',
    name: 'Hugging Face',
    purpose: 'Open models and data sets',
    variables: ['HF_TOKEN'],
    origin: 'https://router.huggingface.co',
    credential: bearer,
    check: { method: 'GET', path: '/api/whoami-v2', origin: 'https://huggingface.co' },
    denied: {
      paths: [
        '/settings/**',
        '/oauth/**',
        '/api/settings/**',
        '/api/organizations/*/settings/**',
        '/api/whoami-v2/**',
        '/api/*/xet-read-token/**',
        '/api/*/xet-write-token/**',
        '/api/spaces/*/jwt/**',
      ],
      sources: ['https://huggingface.co/docs/hub/security-tokens', 'https://huggingface.co/docs/xet/auth'],
    },
    keyPage: 'https://huggingface.co/settings/tokens',
  },
  {
    id: 'stability',
    name: 'Stability AI',
    purpose: 'Image generation',
    variables: ['STABILITY_API_KEY'],
    origin: 'https://api.stability.ai',
    credential: bearer,
    check: { method: 'GET', path: '/v1/user/balance' },
    denied: { paths: [], sources: ['https://platform.stability.ai/docs/api-reference'] },
    keyPage: 'https://platform.stability.ai/account/keys',
  },
  {
    id: 'elevenlabs',
    name: 'ElevenLabs',
    purpose: 'Speech and voices',
    variables: ['ELEVENLABS_API_KEY'],
    origin: 'https://api.elevenlabs.io',
    credential: { header: 'xi-api-key' },
    check: {
      method: 'GET',
      path: '/v1/user',
      rules: [says(401, 'valid', 'missing_permissions'), says(400, 'rejected', 'invalid_api_key')],
    },
    denied: {
      paths: [
        '/v1/user',
        '/v1/service-accounts/**',
        '/v1/workspace/**',
        '/v1/single-use-token/**',
        '/v1/convai/conversation/token/**',
        '/v1/convai/conversation/get-signed-url/**',
        '/v1/convai/conversation/get_signed_url/**',
      ],
      sources: [
        'https://elevenlabs.io/docs/api-reference/user/get',
        'https://elevenlabs.io/docs/api-reference/service-accounts/api-keys/create',
        'https://elevenlabs.io/docs/api-reference/single-use/create',
      ],
    },
    keyPage: 'https://elevenlabs.io/app/settings/api-keys',
  },
] as const satisfies readonly CatalogueEntry[];

export type ProviderId = (typeof entries)[number]['id'];

/** A provider of the catalogue. */
export type Provider = CatalogueEntry & { readonly id: ProviderId };

/** Every provider, in display order. */
export const catalogue: readonly Provider[] = entries;

export const providerIds: readonly ProviderId[] = entries.map((entry) => entry.id);

/** The providers that `/api/generate` can call, in order of preference. */
export const generatingProviders = ['gemini', 'openai', 'anthropic', 'mistral', 'groq'] as const;
export type GeneratingProvider = (typeof generatingProviders)[number];

/** A `Map`, so that `__proto__` is not found as an id. */
const byId: ReadonlyMap<string, Provider> = new Map(catalogue.map((entry) => [entry.id, entry]));

/** The provider with this id, or undefined. Ids are lower case. */
export function findProvider(id: string): Provider | undefined {
  return byId.get(id);
}
