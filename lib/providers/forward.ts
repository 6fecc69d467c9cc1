/**
 * The gateway's pass-through: a caller's request on a provider's path, with the user's key in the place of the
 * caller's token, and the provider's answer as it is. Both directions stream.
 */
import { PROVIDER_ERROR_MAX_BYTES, PROVIDER_IDLE_TIMEOUT_MS, PROXY_MAX_REQUEST_BYTES } from '../deadlines.ts';
import { Problem } from '../errors.ts';
import { tooLarge } from '../http/json.ts';
import { readCapped } from '../outgoing/read-capped.ts';
import { type Answer, type Send, SendError } from '../outgoing/send.ts';
import type { Secret } from '../secret.ts';
import type { Provider, ProviderId } from './catalogue.ts';
import { credentialHeader } from './credential.ts';
import { requestHeaders, responseHeaders } from './forward-headers.ts';
import { type BaseUrls, joinProviderUrl, providerBase } from './provider-url.ts';
import { createRedactor } from './redact.ts';

export type Via = { readonly send: Send; readonly baseUrls: BaseUrls; readonly providerTimeoutMs: number };

const NULL_BODY_STATUSES = new Set([204, 205, 304]);

/** Where a request on `/api/proxy/<provider>/…` wants to go, checked before any key is fetched. */
export function forwardUrl(
  request: Request,
  provider: Provider & { readonly id: ProviderId },
  token: Secret | undefined,
  baseUrls: BaseUrls,
): string {
  const { pathname, search } = new URL(request.url);
  const path = pathname.slice(`/api/proxy/${provider.id}`.length) || '/';
  return joinProviderUrl(providerBase(provider, baseUrls), path, withoutCredentials(search, provider, token));
}

/**
 * Sends the request up with exactly one credential, the key, and passes the answer down. An error answer is
 * read first, to take the key out of it.
 *
 * @throws Problem `provider_unreachable`, `provider_timeout`, `provider_redirected`, `body_too_large`.
 */
export async function forward(
  request: Request,
  url: string,
  provider: Provider,
  credentials: { readonly key: Secret; readonly token: Secret | undefined },
  via: Via,
): Promise<Response> {
  const body = request.body === null ? undefined : capped(request.body);
  const declared = Number(request.headers.get('content-length') ?? 0);
  if (declared > PROXY_MAX_REQUEST_BYTES) throw tooLarge(PROXY_MAX_REQUEST_BYTES);
  const [name, value] = credentialHeader(provider, credentials.key);
  try {
    const answer = await via.send({
      method: request.method,
      url,
      headers: { ...provider.headers, ...requestHeaders(request.headers, credentials.token), [name]: value },
      body: body?.stream,
      signal: request.signal,
      answerTimeoutMs: via.providerTimeoutMs,
      idleTimeoutMs: PROVIDER_IDLE_TIMEOUT_MS,
    });
    return await passDown(answer, request.method, credentials.key);
  } catch (error) {
    if (body?.isTooLarge()) throw tooLarge(PROXY_MAX_REQUEST_BYTES);
    throw toProviderProblem(error);
  }
}

/** A failed exchange with a provider as the caller sees it. */
export function toProviderProblem(error: unknown): unknown {
  if (!(error instanceof SendError)) return error;
  return new Problem(error.reason === 'timeout' ? 'provider_timeout' : 'provider_unreachable');
}

async function passDown(answer: Answer, method: string, key: Secret): Promise<Response> {
  const { status } = answer;
  if (status >= 300 && status < 400 && status !== 304) {
    await answer.body.cancel();
    throw new Problem('provider_redirected', { members: { upstreamStatus: status } });
  }
  const redact = await createRedactor(key);
  const headers = responseHeaders(answer.headers, redact);
  if (method === 'HEAD' || NULL_BODY_STATUSES.has(status)) {
    await answer.body.cancel();
    return new Response(null, { status, headers });
  }
  if (status < 400) return new Response(answer.body, { status, headers });
  headers.delete('content-length');
  return new Response(await readError(answer, redact), { status, headers });
}

/** An error answer without the key. One that cannot be read, too long or compressed unasked, is left out. */
async function readError(answer: Answer, redact: (text: string) => string): Promise<string | null> {
  const encoding = answer.headers.get('content-encoding') ?? 'identity';
  if (encoding !== 'identity') {
    await answer.body.cancel();
    return null;
  }
  const bytes = await readCapped(answer.body, PROVIDER_ERROR_MAX_BYTES);
  return bytes === undefined ? null : redact(new TextDecoder().decode(bytes));
}

/** The query, byte for byte, less the parameters that carry a key or the caller's token. */
function withoutCredentials(search: string, provider: Provider, token: Secret | undefined): string {
  const kept = search
    .slice(1)
    .split('&')
    .filter((pair) => {
      const [[name, value] = ['', '']] = [...new URLSearchParams(pair)];
      const isToken = token !== undefined && value.includes(token.reveal());
      return !(provider.queryCredentials?.includes(name) || isToken);
    })
    .join('&');
  return kept === '' ? '' : `?${kept}`;
}

function capped(body: ReadableStream<Uint8Array>) {
  let length = 0;
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      length += chunk.length;
      if (length > PROXY_MAX_REQUEST_BYTES) controller.error(tooLarge(PROXY_MAX_REQUEST_BYTES));
      else controller.enqueue(chunk);
    },
  });
  return { stream: body.pipeThrough(counter), isTooLarge: () => length > PROXY_MAX_REQUEST_BYTES };
}
