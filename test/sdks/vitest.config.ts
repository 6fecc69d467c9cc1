import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vitest/config';

const here = fileURLToPath(new URL('.', import.meta.url));

/** docs/examples/ has no packages of its own: what it imports is installed here. */
const examplesUseThesePackages: Plugin = {
  name: 'examples-use-these-packages',
  enforce: 'pre',
  async resolveId(source, importer) {
    if (!importer?.includes('/docs/examples/') || source.startsWith('.')) return;
    // CopilotKit's runtime is built on the AI SDK's version 6, whose models come from version 3 of this package.
    const installed = source === '@ai-sdk/openai' ? 'ai-sdk-openai-3' : source;
    return this.resolve(installed, `${here}index.ts`, { skipSelf: true });
  },
};

export default defineConfig({
  root: here,
  plugins: [examplesUseThesePackages],
  test: {
    include: ['*.test.ts'],
    testTimeout: 15_000,
    hookTimeout: 60_000,
    maxWorkers: 1,
    disableConsoleIntercept: true,
    env: {
      COPILOTKIT_TELEMETRY_DISABLED: 'true',
      DO_NOT_TRACK: '1',
      // What SDKs send along unasked when it is in their environment; none of it may reach a provider.
      OPENAI_ORG_ID: 'org-of-the-environment',
      OPENAI_PROJECT_ID: 'project-of-the-environment',
      ANTHROPIC_AUTH_TOKEN: 'token-of-the-environment',
    },
  },
});
