/** One request to the API with the user's token. Nothing of it is kept. */
import { ApiError, readProblem } from './api-error.ts';
import { tokenSubject } from './token-subject.ts';

/**
 * The user's session token, or null when nobody is signed in. Asked before every request. `fresh` is true after
 * the server has refused the last one: a cached token must not be given again.
 */
export type GetToken = (options: { readonly fresh: boolean }) => Promise<string | null | undefined>;

type CallInit = {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  readonly json?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** Told whose token the request goes out with. */
  readonly onUser?: (sub: string | undefined) => void;
};

export type CallApi = (path: string, init?: CallInit) => Promise<Response>;

type Connection = {
  /** Where the functions are: an origin, or '' for the page's own. */
  readonly apiBase: string;
  readonly getToken: GetToken;
  /** Told before each request whose it is; undefined: nobody is signed in. */
  readonly noteUser: (sub: string | undefined) => void;
  /** There is no token, or the server refuses also a fresh one. */
  readonly onSignInNeeded: () => void;
};

/**
 * Gives a successful answer. A 401 is tried once more with a fresh token.
 *
 * @throws ApiError. An aborted call rejects with the signal's reason instead.
 */
export function createCallApi({ apiBase, getToken, noteUser, onSignInNeeded }: Connection): CallApi {
  const base = checkedBase(apiBase);

  async function send(path: string, init: CallInit, fresh: boolean): Promise<Response> {
    const token = await getToken({ fresh });
    const sub = token ? tokenSubject(token) : undefined;
    noteUser(sub);
    init.onUser?.(sub);
    if (!token) {
      onSignInNeeded();
      throw new ApiError('signed_out', 'You are not signed in.');
    }
    return ask(base + path, init, { authorization: `Bearer ${token}` });
  }

  return async (path, init = {}) => {
    let response = await send(path, init, false);
    if (response.status === 401) response = await send(path, init, true);
    if (response.status === 401) onSignInNeeded();
    if (!response.ok) throw await readProblem(response);
    return response;
  };
}

/** A request that needs no token. */
export async function callPublicApi(apiBase: string, path: string): Promise<Response> {
  const response = await ask(checkedBase(apiBase) + path, {}, {});
  if (!response.ok) throw await readProblem(response);
  return response;
}

async function ask(
  url: string,
  { method = 'GET', json, signal }: CallInit,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  const hasBody = json !== undefined;
  try {
    return await fetch(url, {
      method,
      headers: hasBody ? { ...headers, 'content-type': 'application/json' } : headers,
      body: hasBody ? JSON.stringify(json) : null,
      signal: signal ?? null,
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      referrerPolicy: 'no-referrer',
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError('unreachable', 'The server could not be reached.');
  }
}

/** A token must not travel in the clear: https, or this machine, or whatever the page itself came by. */
function checkedBase(apiBase: string): string {
  if (apiBase === '') return '';
  const url = URL.parse(apiBase);
  const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(url?.hostname ?? '');
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback)) {
    return apiBase.replace(/\/+$/, '');
  }
  throw new TypeError('The API base must be an https origin, a loopback one, or empty.');
}
