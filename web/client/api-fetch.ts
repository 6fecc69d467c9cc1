/** Sends one request to the API with the user's token. Stores nothing. */
import { ApiError, readProblem } from './api-error.ts';
import { readTokenSubject } from './token-subject.ts';

/**
 * Returns the user's session token, or null when nobody is signed in. Called before every request. `fresh` is
 * true after the server has rejected the last token. Then it must return a new token and not a cached one.
 */
export type GetToken = (options: { readonly fresh: boolean }) => Promise<string | null | undefined>;

type ApiFetchInit = {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  readonly json?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** Called with the `sub` of the token that the request is sent with. */
  readonly onUser?: (sub: string | undefined) => void;
};

export type ApiFetch = (path: string, init?: ApiFetchInit) => Promise<Response>;

type ApiFetchOptions = {
  /** Origin of the API, or '' for the page's own origin. */
  readonly apiBase: string;
  readonly getToken: GetToken;
  /** Called before each request with the user's `sub`. Undefined: nobody is signed in. */
  readonly onUser: (sub: string | undefined) => void;
  /** Called when there is no token, or when the server also rejects a fresh token. */
  readonly onSignInNeeded: () => void;
};

/**
 * Returns a function that resolves to a successful response. After a 401 it retries once with a fresh token.
 *
 * @throws ApiError. An aborted request rejects with the reason of its signal.
 */
export function createApiFetch({ apiBase, getToken, onUser, onSignInNeeded }: ApiFetchOptions): ApiFetch {
  const base = parseApiBase(apiBase);

  async function sendWithToken(path: string, init: ApiFetchInit, fresh: boolean): Promise<Response> {
    const token = await getToken({ fresh });
    const sub = token ? readTokenSubject(token) : undefined;
    onUser(sub);
    init.onUser?.(sub);
    if (!token) {
      onSignInNeeded();
      throw new ApiError('signed_out', 'You are not signed in.');
    }
    return send(base + path, init, { authorization: `Bearer ${token}` });
  }

  return async (path, init = {}) => {
    let response = await sendWithToken(path, init, false);
    if (response.status === 401) response = await sendWithToken(path, init, true);
    if (response.status === 401) onSignInNeeded();
    if (!response.ok) throw await readProblem(response);
    return response;
  };
}

/** Sends a GET request that needs no token. */
export async function fetchPublic(apiBase: string, path: string): Promise<Response> {
  const response = await send(parseApiBase(apiBase) + path, {}, {});
  if (!response.ok) throw await readProblem(response);
  return response;
}

/** The parsed JSON body of a response, or ApiError `unexpected_answer`, which contains no part of the body. */
export async function readJson<T>(parse: (value: unknown) => T, response: Response): Promise<T> {
  try {
    return parse(await response.json());
  } catch {
    throw new ApiError(
      'unexpected_answer',
      'The server sent a response that this page does not understand.',
      {
        status: response.status,
        requestId: response.headers.get('x-userkeys-request-id') ?? undefined,
      },
    );
  }
}

export function isLoopback({ hostname }: Pick<URL, 'hostname'>): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}

async function send(
  url: string,
  { method = 'GET', json, signal }: ApiFetchInit,
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

/** Allows https, loopback and the page's own origin, so that a token is never sent unencrypted over a network. */
function parseApiBase(apiBase: string): string {
  if (apiBase === '') return '';
  const url = URL.parse(apiBase);
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url))) {
    return apiBase.replace(/\/+$/, '');
  }
  throw new TypeError('apiBase must be an https origin, a loopback origin, or empty.');
}
