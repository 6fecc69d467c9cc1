/** A front end of the store that answers as its attacker likes. */
import { createServer, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';

export type StoreAttack = {
  /** Which request of a call is attacked, counted from 0. Others are passed on. Default: every one. */
  readonly only?: number;
  /** Changes the results of the real store. Returns undefined if there is nothing to change. */
  readonly change?: (results: unknown[], commands: readonly (readonly string[])[]) => unknown[] | undefined;
  /** Answers instead of the real store. */
  readonly respond?: (response: ServerResponse, real: string) => void;
};

export type HostileStore = {
  readonly url: string;
  attack(attack: StoreAttack | undefined): void;
  /** Whether a request was attacked since `attack` was called. */
  wasAttacked(): boolean;
  close(): Promise<void>;
};

const commandsForm = z.array(z.array(z.unknown()));
const answerForm = z.array(z.union([z.object({ result: z.unknown() }), z.object({ error: z.string() })]));

export async function startHostileStore(store: {
  readonly url: string;
  readonly token: string;
}): Promise<HostileStore> {
  let current: StoreAttack | undefined;
  let requests = 0;
  let attacked = false;
  const server = createServer(async (request, response) => {
    const attack = current;
    const isTarget = attack !== undefined && (attack.only === undefined || attack.only === requests);
    requests += 1;
    const body = await buffer(request);
    const real = await fetch(store.url + request.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${store.token}`, 'content-type': 'application/json' },
      body,
    });
    const text = await real.text();
    if (isTarget && attack.respond !== undefined) {
      attacked = true;
      return attack.respond(response, text);
    }
    response.writeHead(real.status, { 'content-type': 'application/json' });
    response.end(isTarget ? changed(text, body.toString(), attack) : text);
  });

  function changed(text: string, sent: string, { change }: StoreAttack): string {
    const answers = answerForm.parse(JSON.parse(text));
    const results = answers.map((answer) => ('result' in answer ? answer.result : null));
    const commands = commandsForm.parse(JSON.parse(sent)).map((command) => command.map(String));
    const odd = change?.(structuredClone(results), commands);
    if (odd === undefined || JSON.stringify(odd) === JSON.stringify(results)) return text;
    attacked = true;
    return JSON.stringify(odd.map((result) => ({ result })));
  }

  const port = await listen(server);
  return {
    url: `http://${LOOPBACK}:${port}`,
    attack(attack) {
      current = attack;
      requests = 0;
      attacked = false;
    },
    wasAttacked: () => attacked,
    close: () => closeServer(server),
  };
}

type Place = { readonly parent: unknown[]; readonly index: number };

/** Every value of a list of results, lists included, as a place where it can be replaced. */
export function placesIn(list: unknown[]): readonly Place[] {
  return list.flatMap((value, index) => [
    { parent: list, index },
    ...(Array.isArray(value) ? placesIn(value) : []),
  ]);
}
