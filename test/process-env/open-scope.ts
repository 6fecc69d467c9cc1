import { installScopedEnvironment, type Scope } from '../../lib/process-env/scoped-environment.ts';
import { Secret } from '../../lib/secret.ts';

/** The variables that scopes cover in these tests. */
const COVERED: ReadonlySet<string> = new Set(['OPENAI_API_KEY', 'GEMINI_API_KEY', 'EXA_API_KEY']);

/** Opens a scope with these keys in this process. */
export function openScope(keys: Readonly<Record<string, string>>): Scope {
  const secrets = Object.entries(keys).map(([name, key]) => [name, new Secret(key)] as const);
  return installScopedEnvironment().open({ covered: COVERED, keys: new Map(secrets) });
}

/** Runs code in its own scope and ends the scope afterwards. */
export async function inScope<T>(keys: Readonly<Record<string, string>>, code: () => T): Promise<Awaited<T>> {
  const scope = openScope(keys);
  try {
    return await scope.run(code);
  } finally {
    scope.end();
  }
}
