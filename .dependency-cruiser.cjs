/**
 * Who may import what. `npm run lint` checks it, test/rules/import-rules.test.ts breaks each rule once, and
 * docs/decisions/12-import-rules.md says why this tool. Imports of types count, unless a rule says otherwise.
 */

/** A path into an npm package, found in node_modules or not. */
const npm = (names) => `(?:^|node_modules/)(?:${names})(?:/|$)`;

/** Every file but those that match. */
const allBut = (...paths) => ({ pathNot: `^(?:${paths.join('|')})` });

const forbidden = [
  // One way: api → lib/serve → lib/app → compose, routes → handlers → concerns → errors, lazy, limits, secret, log
  {
    name: 'api-imports-entry-points',
    comment:
      'A function file is wiring: it imports lib/serve.ts, lib/app.ts or lib/process-env/ and nothing else of ours.',
    from: { path: '^api/' },
    to: {
      path: '^(?:lib|api|cli|dev|test|bench|web)/',
      pathNot: '^lib/(?:(?:serve|app)\\.ts$|process-env/)',
    },
  },
  {
    name: 'lib-stands-alone',
    comment: 'lib/ is what runs in production. Tools, tests and pages import it, it imports none of them.',
    from: { path: '^lib/' },
    to: { path: '^(?:api|cli|dev|test|bench|web|docs)/' },
  },
  {
    name: 'app-is-an-entry-point',
    comment:
      'lib/app.ts reads the environment and composes. Only what is entered from outside starts with it.',
    from: { path: '^lib/', pathNot: '^lib/(?:serve\\.ts$|process-env/)' },
    to: { path: '^lib/(?:serve|app)\\.ts$' },
  },
  {
    name: 'process-env-is-an-entry-point',
    comment:
      'lib/process-env/ is for legacy functions. It stands on lib/app.ts, so nothing in lib/ stands on it.',
    from: { path: '^lib/', pathNot: '^lib/process-env/' },
    to: { path: '^lib/process-env/' },
  },
  {
    name: 'only-app-composes',
    comment:
      'Handlers and concerns receive the parts they need. They do not fetch them from the composition.',
    from: { path: '^lib/', pathNot: '^lib/(?:serve|app)\\.ts$' },
    to: { path: '^lib/(?:compose|routes)\\.ts$' },
  },
  {
    name: 'only-routes-load-handlers',
    comment: 'A handler is loaded with the first call of its route. Handlers do not call each other.',
    from: { path: '^lib/', pathNot: '^lib/routes\\.ts$' },
    to: { path: '^lib/handlers/' },
  },
  {
    name: 'routes-load-handlers-lazily',
    comment: 'A cold start pays for its own route only.',
    from: { path: '^lib/routes\\.ts$' },
    to: { path: '^lib/handlers/', dependencyTypesNot: ['dynamic-import', 'type-only'] },
  },
  {
    name: 'config-comes-from-the-entry-point',
    comment: 'The configuration is read once, at an entry point. Everything else may name its type.',
    from: { path: '^lib/', pathNot: '^lib/(?:app\\.ts$|process-env/)' },
    to: { path: '^lib/config\\.ts$', dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'ground-imports-nothing',
    comment: 'Everything stands on errors, limits, secrets and the log, so they stand on nothing of ours.',
    from: { path: '^lib/(?:errors|lazy|limits|secret|log)\\.ts$' },
    to: { path: '^lib/' },
  },
  {
    name: 'no-cycles-in-lib',
    comment: 'A file that is part of a cycle cannot be read or changed alone. Cycles of types count.',
    from: { path: '^lib/' },
    to: { circular: true },
  },
  {
    name: 'no-cycles',
    comment: 'A cycle of values depends on which file is loaded first.',
    from: { pathNot: '^lib/' },
    to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
  },

  // Single owners
  {
    name: 'only-kv-names-the-client',
    comment: 'lib/kv/ turns off deserialization and checks every answer; another client would do neither.',
    from: allBut('lib/kv/', 'test/'),
    to: { path: npm('@vercel/kv|@upstash/redis') },
  },
  {
    name: 'only-vault-has-master-keys',
    comment:
      'The fewer files see a master key, the fewer can leak one. lib/config.ts uses vault-settings.ts; dev/settings/ makes keys for one machine.',
    from: allBut('lib/vault/', 'dev/settings/', 'test/'),
    to: { path: '^lib/vault/master-keys\\.ts$' },
  },
  {
    name: 'only-outgoing-sends',
    comment: 'Deadlines, caps and the refusal of redirects are in lib/outgoing/. Take a `Send`.',
    from: allBut('lib/outgoing/', 'test/', 'bench/'),
    to: { path: npm('undici') },
  },
  {
    name: 'only-generate-loads-the-ai-sdk',
    comment: 'The AI SDK is the heaviest import. Only lib/generate/ pays for it.',
    from: allBut('lib/generate/', 'test/'),
    to: { path: npm('ai|@ai-sdk/[^/]+') },
  },
  {
    name: 'only-language-models-names-providers-of-the-ai-sdk',
    comment: 'One file says which provider generates with which package.',
    from: { path: '^lib/generate/', pathNot: '^lib/generate/language-models\\.ts$' },
    to: { path: npm('@ai-sdk/[^/]+') },
  },
  {
    name: 'only-kms-loads-the-kms-client',
    comment: 'Most deployments have no KMS key and must not load its client.',
    from: allBut('lib/vault/kms\\.ts$', 'test/'),
    to: { path: npm('@aws-sdk/[^/]+') },
  },
  {
    name: 'kms-client-is-loaded-lazily',
    comment: 'The client is loaded with the first wrapped key.',
    from: { path: '^lib/' },
    to: { path: npm('@aws-sdk/[^/]+'), dependencyTypesNot: ['dynamic-import', 'type-only'] },
  },
  {
    name: 'only-tracing-loads-opentelemetry',
    comment: 'Most deployments are not traced and must not load OpenTelemetry.',
    from: allBut('lib/telemetry/tracing\\.ts$', 'test/'),
    to: { path: npm('@opentelemetry/[^/]+|@vercel/otel') },
  },
  {
    name: 'tracing-is-loaded-lazily',
    comment: 'lib/app.ts loads it where OpenTelemetry is configured. Others may name its types.',
    from: { path: '^lib/' },
    to: { path: '^lib/telemetry/tracing\\.ts$', dependencyTypesNot: ['dynamic-import', 'type-only'] },
  },
  {
    name: 'local-files-are-loaded-lazily',
    comment: 'Production does not even load the code that can write a file.',
    from: { path: '^lib/', pathNot: '^lib/local/' },
    to: { path: '^lib/local/', dependencyTypesNot: ['dynamic-import', 'type-only'] },
  },

  // The browser
  {
    name: 'web-takes-only-types-from-lib',
    comment: 'Code of lib/ is not written for browsers. Its types say what the API answers.',
    from: { path: '^web/' },
    to: { path: '^lib/', dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'web-stands-on-lib-alone',
    comment: 'The page is deployed. Tools, tests and functions are not part of it.',
    from: { path: '^web/' },
    to: { path: '^(?:api|cli|dev|test|bench)/' },
  },
  {
    name: 'web-has-no-modules-of-node',
    comment: 'A browser has none of them.',
    from: { path: '^web/', pathNot: '^web/vite\\.config\\.ts$' },
    to: { dependencyTypes: ['core'] },
  },
  {
    name: 'onboarding-schema-runs-in-browsers',
    comment: 'Apps use this schema in their pages, so it imports only files that are listed here, and zod.',
    from: { path: '^lib/onboarding/(?:onboarding-schema|step-data)\\.ts$' },
    to: {
      pathNot: `^lib/(?:onboarding/step-data|providers/catalogue|limits)\\.ts$|${npm('zod')}`,
      dependencyTypesNot: ['type-only'],
    },
  },

  // Tools
  {
    name: 'tests-are-for-tests',
    comment: 'What is in test/ is not shipped. Benchmarks share its servers.',
    from: { path: '^(?:cli|dev)/' },
    to: { path: '^(?:test|bench)/' },
  },
];

module.exports = {
  forbidden: forbidden.map((rule) => ({ severity: 'error', ...rule })),
  options: {
    // The TypeScript 7 in use has no API for parsers.
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    // What a build made of lib/serve.ts.
    exclude: { path: '^lib/(?:serve\\.js$|chunks/)' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'node', 'default'],
    },
  },
};
