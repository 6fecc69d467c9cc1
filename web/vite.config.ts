import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * The page, and beside it the element and the client under names that stay, for apps to import:
 * `/user-keys.js` and `/client.js`. What changes with its contents has a hash in its name.
 */
export default defineConfig({
  root: file('.'),
  logLevel: 'warn',
  build: {
    outDir: file('dist'),
    emptyOutDir: true,
    target: 'es2023',
    modulePreload: false,
    rolldownOptions: {
      input: {
        index: file('index.html'),
        'user-keys': file('user-keys.ts'),
        client: file('client.ts'),
      },
      preserveEntrySignatures: 'strict',
      output: {
        entryFileNames: ({ name }) => (name === 'index' ? 'assets/page-[hash].js' : '[name].js'),
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
});
