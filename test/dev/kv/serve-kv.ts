// A KV in a process of its own, to be killed: `node serve-kv.ts <options of startKv as JSON>`. Prints its address
// and token as one line of JSON.

import { z } from 'zod';
import { startKv } from '../../../dev/kv/start-kv.ts';

const Options = z.object({ dataDirectory: z.string() }).or(z.object({ redisUrl: z.string() }));
const { url, token } = await startKv(Options.parse(JSON.parse(process.argv[2] ?? '')));
process.stdout.write(`${JSON.stringify({ url, token })}\n`);
