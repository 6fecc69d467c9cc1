/**
 * A separate process that manages a key in production mode and prints the responses and the loaded modules of local
 * mode. It runs with permission to read this project only and to write nothing.
 */
import { registerHooks } from 'node:module';

const loaded: string[] = [];
registerHooks({
  load(url, context, next) {
    if (url.includes('/lib/local/') || url === 'node:sqlite') loaded.push(url);
    return next(url, context);
  },
});

const handlers = await import('../../api/userkeys.ts');
const { GET: list } = await import('../../api/userkeys.ts');
const headers = { authorization: `Bearer ${process.env.TOKEN}`, 'content-type': 'application/json' };
const url = 'http://127.0.0.1:3000/api/keys';
const at = (provider: string, method: string, body?: string) =>
  new Request(`${url}/${provider}`, { method, headers, ...(body === undefined ? {} : { body }) });

const answers = [
  await handlers.PUT(at('copilotkit', 'PUT', JSON.stringify({ key: process.env.KEY }))),
  await handlers.POST(at('copilotkit', 'POST')),
  await list(new Request(url, { headers })),
  await handlers.DELETE(at('copilotkit', 'DELETE')),
  await handlers.GET(at('openai', 'GET')),
];
const printed = await Promise.all(answers.map(async (answer) => `${answer.status} ${await answer.text()}`));
process.stdout.write(JSON.stringify({ loaded, answers: printed }));
process.exit(0);
