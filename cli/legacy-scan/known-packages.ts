/** Packages whose use the scan reports. */
import type { Kind } from './finding.ts';

/**
 * `exports` lists the exports that are reported; without it, all are. SDKs that read the environment on each call
 * (the AI SDK's providers) are left out: built at module level, they still see the caller's key.
 */
type Known = { readonly kind: Kind; readonly exports?: readonly string[] };

const client: Known = { kind: 'client-at-load' };

/** Drivers with callbacks that run on a shared connection. Those that only have promises are safe. */
const DRIVERS: readonly (readonly [name: string, exports: readonly string[]])[] = [
  ['pg', ['Pool', 'Client']],
  ['pg-pool', ['default']],
  ['mysql', ['createPool', 'createConnection', 'createPoolCluster']],
  ['mysql2', ['createPool', 'createConnection', 'createPoolCluster']],
  ['mssql', ['connect', 'ConnectionPool']],
  ['tedious', ['Connection']],
  ['ioredis', ['default', 'Redis', 'Cluster']],
  ['redis', ['createClient', 'createClientPool', 'createCluster']],
  ['mongodb', ['MongoClient']],
  ['mongoose', ['connect', 'createConnection']],
  ['knex', ['default', 'knex']],
];

const PACKAGES: ReadonlyMap<string, Known> = new Map([
  ...[
    'openai',
    '@anthropic-ai/sdk',
    '@google/genai',
    '@google/generative-ai',
    '@mistralai/mistralai',
    'groq-sdk',
    'exa-js',
    '@tavily/core',
    'firecrawl',
    '@mendable/firecrawl-js',
    '@openrouter/sdk',
    'cohere-ai',
    '@perplexity-ai/perplexity_ai',
    'together-ai',
    '@huggingface/inference',
    '@elevenlabs/elevenlabs-js',
    '@copilotkit/runtime',
  ].map((name) => [name, client] as const),
  ...DRIVERS.map(([name, exports]) => [name, { kind: 'driver', exports }] as const),
  ...['p-queue', 'p-limit', 'p-throttle', 'bottleneck', 'fastq', 'better-queue'].map(
    (name) => [name, { kind: 'queue' }] as const,
  ),
  ['async', { kind: 'queue', exports: ['queue', 'cargo', 'cargoQueue', 'priorityQueue'] }],
  ...['memoizee', 'p-memoize', 'fast-memoize', 'micro-memoize', 'lodash.memoize', 'lodash/memoize'].map(
    (name) => [name, { kind: 'memoised' }] as const,
  ),
  ...['lodash', 'lodash-es'].map((name) => [name, { kind: 'memoised', exports: ['memoize'] }] as const),
  ['dataloader', { kind: 'memoised' }],
  ['next/cache', { kind: 'memoised', exports: ['unstable_cache'] }],
  ...['events', 'node:events'].map(
    (name) => [name, { kind: 'emitter', exports: ['default', 'EventEmitter'] }] as const,
  ),
  ...['eventemitter3', 'mitt', 'emittery'].map((name) => [name, { kind: 'emitter' }] as const),
]);

/** LangChain has a package for each provider. */
const CLIENT_SCOPE = /^@langchain\/(?!core|community|langgraph)/;

export function findPackage(name: string): Known | undefined {
  return PACKAGES.get(name) ?? (CLIENT_SCOPE.test(name) ? client : undefined);
}
