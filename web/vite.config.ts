import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * Builds the page, the element and the client. Apps import the element as `/user-keys.js` and the client as
 * `/client.js`, so these two names never change. All other files have a content hash in their names.
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
        'user-keys': file('user-keys-element.ts'),
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
