// A KV in a process of its own, to be killed: `node serve-kv.ts <engine> <dataDirectory>`. Says where it is in
// one line of JSON.

import { startKv } from '../../../dev/kv/start-kv.ts';

const [engine, dataDirectory = ''] = process.argv.slice(2);
if (engine !== 'embedded' && engine !== 'redis-server') throw new Error('Which engine?');
const { url, token } = await startKv({ engine, dataDirectory });
process.stdout.write(`${JSON.stringify({ url, token })}\n`);
