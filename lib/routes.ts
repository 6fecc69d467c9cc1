/** Every route. Adding one is a handler in lib/handlers/ and a line here. */
import type { RouteEntry } from './http/router.ts';

export const routes = [
  { path: '/health', load: () => import('./handlers/health.ts') },
  { path: '/providers', load: () => import('./handlers/providers.ts') },
  { path: '/keys', load: () => import('./handlers/keys.ts') },
  { path: '/keys/:provider', load: () => import('./handlers/key.ts') },
  { path: '/onboarding', load: () => import('./handlers/onboarding.ts') },
  { path: '/generate', load: () => import('./handlers/generate.ts') },
  { path: '/search', load: () => import('./handlers/search.ts') },
  { path: '/proxy/:provider/*', load: () => import('./handlers/proxy.ts') },
  { path: '/audit', load: () => import('./handlers/audit.ts') },
  { path: '/usage', load: () => import('./handlers/usage.ts') },
  { path: '/account', load: () => import('./handlers/account.ts') },
  { path: '/cron/rotate', load: () => import('./handlers/rotate.ts') },
] as const satisfies readonly RouteEntry[];
