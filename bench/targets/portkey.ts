/**
 * Portkey's own server, which ends with the benchmark.
 *
 *     portkey.ts <its server> --headless --port=<port>
 */
import { pathToFileURL } from 'node:url';

process.once('disconnect', () => process.exit());
await import(pathToFileURL(process.argv[2] ?? '').href);
