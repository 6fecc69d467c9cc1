/**
 * A separate process that calls the functions, like one that `vercel dev` starts for a request: saves new keys of the
 * named providers concurrently, `SAVES` times each.
 */
import { PUT } from '../../api/userkeys.ts';
import { newProviderKey } from '../support/start-world.ts';

const saves = process.argv.slice(2).flatMap((provider) =>
  Array.from({ length: Number(process.env.SAVES) }, () =>
    PUT(
      new Request(`http://127.0.0.1:3000/api/keys/${provider}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${process.env.TOKEN}`, 'content-type': 'application/json' },
        body: JSON.stringify({ key: newProviderKey() }),
      }),
    ),
  ),
);
for (const response of await Promise.all(saves)) {
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
}
process.exit(0);
