/** Deliberate breaks of the service, one edit each. `run-mutations.ts` checks that the suite of the family finds each. */
import type { Family } from './family.ts';

export type Mutation = {
  readonly family: Family;
  /** What is broken. */
  readonly title: string;
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly search: string;
  readonly replace: string;
};

export const mutations: readonly Mutation[] = [
  {
    family: 'tokens',
    title: 'a token may bring its own key',
    file: 'lib/identity/token-policy.ts',
    search: "const REFUSED_HEADER_MEMBERS = ['jwk', 'jku', 'x5u', 'x5c', 'crit'];",
    replace: 'const REFUSED_HEADER_MEMBERS: readonly string[] = [];',
  },
  {
    family: 'tokens',
    title: 'expired tokens are accepted for a day',
    file: 'lib/identity/verify-token.ts',
    search: 'clockTolerance: MAX_CLOCK_SKEW_SECONDS,',
    replace: 'clockTolerance: MAX_CLOCK_SKEW_SECONDS + 86_400,',
  },
  {
    family: 'tokens',
    title: 'the authorized party is not checked',
    file: 'lib/identity/token-policy.ts',
    search: 'if (policy.authorizedParties.length > 0 &&',
    replace: 'if (policy.authorizedParties.length > 1_000 &&',
  },
  {
    family: 'tokens',
    title: 'any text is a user id',
    file: 'lib/identity/user-id.ts',
    search: '/^[\\x20-\\x7e]{1,255}$/',
    replace: '/^[^]{0,100000}$/',
  },
  {
    family: 'paths',
    title: 'dot segments are looked for only as written',
    file: 'lib/providers/provider-url.ts',
    search: 'if (next === decoded) break;',
    replace: 'if (layer >= 0) break;',
  },
  {
    family: 'paths',
    title: 'the joined address may have another path',
    file: 'lib/providers/provider-url.ts',
    search: 'if (DOT_SEGMENT.test(decoded) ||',
    replace: "if (decoded === '/never' ||",
  },
  {
    family: 'denied-paths',
    title: 'denied paths are passed on',
    file: 'lib/gateway/target.ts',
    search: 'if (isDeniedPath(',
    replace: 'if (base === undefined && isDeniedPath(',
  },
  {
    family: 'denied-paths',
    title: 'denied paths are compared as written',
    file: 'lib/gateway/denied-paths.ts',
    search: 'return decodings(path).some((written) => {',
    replace: 'return [path].some((written) => {',
  },
  {
    family: 'framing',
    title: 'every header that begins with x- passes',
    file: 'lib/gateway/forwarded-headers.ts',
    search: "  'x-stainless-',",
    replace: "  'x-',",
  },
  {
    family: 'framing',
    title: 'cookies pass',
    file: 'lib/gateway/forwarded-headers.ts',
    search: "['if-match', 'if-none-match', 'if-modified-since', 'prefer']",
    replace: "['if-match', 'if-none-match', 'if-modified-since', 'prefer', 'cookie']",
  },
  {
    family: 'bodies',
    title: 'unknown members are ignored',
    file: 'lib/keys/save-key-body.ts',
    search: 'export const saveKeyBody = z.strictObject({',
    replace: 'export const saveKeyBody = z.object({',
  },
  {
    family: 'bodies',
    title: 'a body of any size is read',
    file: 'lib/http/json.ts',
    search: 'const bytes = await readBody(request, maxBytes);',
    replace: 'const bytes = await readBody(request, 100 * maxBytes);',
  },
  {
    family: 'key-values',
    title: 'a key is stored without its last character',
    file: 'lib/handlers/key.ts',
    search: 'const key = new Secret(call.body.key);',
    replace: "const key = new Secret(call.body.key.replace(/=$/, ''));",
  },
  {
    family: 'key-values',
    title: 'a key with quotes is written to .env',
    file: 'lib/local/local-keys.ts',
    search: 'const WRITABLE = /^[A-Za-z0-9._+/=:@%,-]+$/;',
    replace: 'const WRITABLE = /^[\\x21-\\x7e]+$/;',
  },
  {
    family: 'store',
    title: 'a record is not bound to its user',
    file: 'lib/vault/key-ring.ts',
    search: 'return [DOMAIN, tenant, sub, binding.provider];',
    replace: "return [DOMAIN, tenant, sub === '' ? sub : 'anybody', binding.provider];",
  },
  {
    family: 'store',
    title: 'a record is not bound to its tenant',
    file: 'lib/vault/key-ring.ts',
    search: 'return [DOMAIN, tenant, sub, binding.provider];',
    replace: "return [DOMAIN, tenant === '' ? tenant : 'any', sub, binding.provider];",
  },
  {
    family: 'store',
    title: 'a status of the store is ignored',
    file: 'lib/kv/kv.ts',
    search: "if (answer.status !== 200) throw new TransportError('store_status_unexpected');",
    replace: '',
  },
  {
    family: 'store',
    title: 'a number of the store may be anything',
    file: 'lib/kv/query.ts',
    search: 'export const count = z.int();',
    replace: 'export const count = z.any().transform(() => 0);',
  },
  {
    family: 'issuer',
    title: 'keys are taken from an error answer',
    file: 'lib/identity/issuer-keys.ts',
    search: "if (answer.status !== 200) throw new UnusableAnswer('issuer_status_unexpected');",
    replace: '',
  },
  {
    family: 'issuer',
    title: 'every unknown kid asks the issuer',
    file: 'lib/identity/issuer-keys.ts',
    search: 'clock() - fetchedForUnknownKidAt >= JWKS_COOLDOWN_MS',
    replace: 'clock() - fetchedForUnknownKidAt >= JWKS_COOLDOWN_MS - JWKS_COOLDOWN_MS',
  },
  {
    family: 'provider',
    title: 'success answers keep the key',
    file: 'lib/redaction/redact-answer.ts',
    search: 'return { ...plain, body: mapBody(plain.body, createByteRedactor(key)) };',
    replace:
      'return key.toString() === "" ? { ...plain, body: mapBody(plain.body, createByteRedactor(key)) } : plain;',
  },
  {
    family: 'provider',
    title: 'a generated text keeps the key where the provider cut it',
    file: 'lib/generate/generate-stream.ts',
    search: 'controller.enqueue(redactor.push(encoder.encode(part.text)));',
    replace: 'controller.enqueue(encoder.encode(part.text));',
  },
  {
    family: 'provider',
    title: 'redirects are passed on',
    file: 'lib/gateway/forward.ts',
    search: 'const isRedirect = status >= 300 && status < 400 && status !== 304;',
    replace: 'const isRedirect = status === 399;',
  },
  {
    family: 'provider',
    title: 'a provider sets cookies',
    file: 'lib/gateway/forwarded-headers.ts',
    search: "['content-range', 'accept-ranges',",
    replace: "['set-cookie', 'content-range', 'accept-ranges',",
  },
  {
    family: 'modes',
    title: 'NODE_ENV does not show a deployment',
    file: 'lib/config.ts',
    search: "env.NODE_ENV === 'production' ||",
    replace: '',
  },
  {
    family: 'modes',
    title: 'local mode uses a store anywhere',
    file: 'lib/config.ts',
    search: 'if (isLoopback(KV_REST_API_URL)) return [];',
    replace: 'return [];',
  },
];
