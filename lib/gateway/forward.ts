/**
 * The gateway's pass-through: a caller's request on a provider's path, with the user's key in the place of the
 * caller's token, and the provider's answer as it is. Both directions stream.
 */
import { PROVIDER_ERROR_MAX_BYTES, PROVIDER_IDLE_TIMEOUT_MS, PROXY_MAX_REQUEST_BYTES } from '../limits.ts';
import { Problem, type ProblemCode } from '../errors.ts';
import { tooLarge } from '../http/json.ts';
import { readCapped } from '../outgoing/read-capped.ts';
import { type Answer, type Send, SendError } from '../outgoing/send.ts';
import type { Secret } from '../secret.ts';
import type { Provider, ProviderId } from '../providers/catalogue.ts';
import { credentialHeader } from '../providers/credential.ts';
import { requestHeaders, responseHeaders } from './forwarded-headers.ts';
import { holdsToken } from './token-leak.ts';
import { judgeCall, type KeyVerdict } from '../providers/key-check-result.ts';
import { hasLinkMembers, leadHeadersBack, leadMembersBack, type WayBack, wayBack } from './link-rewriter.ts';
import { type BaseUrls, joinProviderUrl, providerBase } from '../providers/provider-url.ts';
import { createPlainRedactor, createRedactor } from '../redaction/redactor.ts';

export type Via = { readonly send: Send; readonly baseUrls: BaseUrls; readonly providerTimeoutMs: number };

/** The caller's token and the request header it came in, and the key that takes its place. */
export type Credentials = {
  readonly key: Secret;
  readonly token: Secret | undefined;
  readonly tokenHeader: string | undefined;
};

const NULL_BODY_STATUSES = new Set([204, 205, 304]);

/**
 * Where a request on `/api/proxy/<provider>/…` wants to go, checked before any key is fetched.
 *
 * @throws Problem `path_refused`.
 */
export function forwardUrl(
  request: Request,
  provider: Provider & { readonly id: ProviderId },
  token: Secret | undefined,
  baseUrls: BaseUrls,
): string {
  const path = pathOf(request, provider);
  if (holdsToken(path, token)) throw new Problem('path_refused');
  const search = withoutCredentials(new URL(request.url).search, provider, token);
  return joinProviderUrl(providerBase(provider, baseUrls), path, search);
}

/** The path at the provider, as the caller wrote it. */
export function pathOf(request: Request, provider: Provider): string {
  return new URL(request.url).pathname.slice(`/api/proxy/${provider.id}`.length) || '/';
}

/**
 * Sends the request up with exactly one credential, the key, and passes the answer down. An error answer is
 * read first, to take the key out of it. `learn` is told what the answer says about the key.
 *
 * @throws Problem `provider_unreachable`, `provider_timeout`, `provider_redirected`, `provider_error` for a status
 *   that HTTP does not have, `body_too_large`.
 */
export async function forward(
  request: Request,
  url: string,
  provider: Provider & { readonly id: ProviderId },
  credentials: Credentials,
  via: Via,
  learn: (verdict: KeyVerdict) => void,
): Promise<Response> {
  const declared = Number(request.headers.get('content-length') ?? 0);
  if (declared > PROXY_MAX_REQUEST_BYTES) throw tooLarge(PROXY_MAX_REQUEST_BYTES);
  const body = request.body === null ? undefined : capped(request.body);
  const { key, token, tokenHeader } = credentials;
  const [name, value] = credentialHeader(provider, key, { headers: request.headers, tokenHeader });
  try {
    const answer = await via.send({
      method: request.method,
      url,
      headers: { ...provider.headers, ...requestHeaders(request.headers, token), [name]: value },
      body: body?.stream,
      signal: request.signal,
      answerTimeoutMs: via.providerTimeoutMs,
      idleTimeoutMs: PROVIDER_IDLE_TIMEOUT_MS,
    });
    const way = wayBack(request, provider, providerBase(provider, via.baseUrls));
    return await passDown(answer, { request, provider, key, way, learn });
  } catch (error) {
    if (body?.isTooLarge()) throw tooLarge(PROXY_MAX_REQUEST_BYTES);
    throw toProviderProblem(error);
  }
}

const SEND_PROBLEMS = {
  timeout: 'provider_timeout',
  unreachable: 'provider_unreachable',
  aborted: 'provider_unreachable',
  unusable: 'provider_error',
} as const satisfies Record<SendError['reason'], ProblemCode>;

/** A failed exchange with a provider as the caller sees it. */
export function toProviderProblem(error: unknown): unknown {
  if (!(error instanceof SendError)) return error;
  return new Problem(SEND_PROBLEMS[error.reason]);
}

async function passDown(
  answer: Answer,
  exchange: {
    readonly request: Request;
    readonly provider: Provider;
    readonly key: Secret;
    readonly way: WayBack;
    readonly learn: (verdict: KeyVerdict) => void;
  },
): Promise<Response> {
  const { request, provider, way } = exchange;
  const { status } = answer;
  const learn = (text?: string) =>
    exchange.learn(judgeCall(provider, pathOf(request, provider), status, text));
  if (status < 200 || status > 599) {
    await answer.body.cancel();
    throw new Problem('provider_error', { members: { upstreamStatus: status } });
  }
  if (status >= 300 && status < 400 && status !== 304) {
    await answer.body.cancel();
    throw new Problem('provider_redirected', { members: { upstreamStatus: status } });
  }
  const redact = status < 400 ? createPlainRedactor(exchange.key) : await createRedactor(exchange.key);
  const headers = responseHeaders(answer.headers, redact);
  leadHeadersBack(headers, provider, way);
  if (request.method === 'HEAD' || NULL_BODY_STATUSES.has(status)) {
    learn();
    await answer.body.cancel();
    return new Response(null, { status, headers });
  }
  if (status < 400) {
    learn();
    if (!hasLinkMembers(provider, answer.headers)) return new Response(answer.body, { status, headers });
    headers.delete('content-length');
    return new Response(leadMembersBack(answer.body, provider, way), { status, headers });
  }
  headers.delete('content-length');
  const text = await readError(answer);
  if (text === undefined) headers.delete('content-encoding');
  learn(text);
  return new Response(text === undefined ? null : redact(text), { status, headers });
}

/**
 * The text of an error answer. One that cannot be read is left out: too long, compressed unasked, or in another
 * charset than UTF-8. UTF-16 that does not say so shows by its zero bytes.
 */
async function readError(answer: Answer): Promise<string | undefined> {
  const encoding = answer.headers.get('content-encoding') ?? 'identity';
  const charset = /\bcharset\s*=\s*"?([^\s;"]*)/i.exec(answer.headers.get('content-type') ?? '')?.[1];
  if (encoding !== 'identity' || !/^utf-?8$/i.test(charset ?? 'utf-8')) {
    await answer.body.cancel();
    return undefined;
  }
  const bytes = await readCapped(answer.body, PROVIDER_ERROR_MAX_BYTES);
  return bytes === undefined || bytes.includes(0) ? undefined : new TextDecoder().decode(bytes);
}

/** The query, byte for byte, less the parameters that carry a key or the caller's token. */
function withoutCredentials(search: string, provider: Provider, token: Secret | undefined): string {
  const kept = search
    .slice(1)
    .split('&')
    .filter((pair) => {
      const [[name] = ['']] = [...new URLSearchParams(pair)];
      return !(provider.queryCredentials?.includes(name) || holdsToken(pair, token));
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
