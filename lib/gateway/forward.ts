/** The gateway's pass-through: sends a caller's request with the user's key, and gives the provider's answer as it is. */
import { Problem } from '../errors.ts';
import { bodyTooLarge } from '../http/json.ts';
import {
  CUT_ERROR_MARGIN_CHARACTERS,
  MAX_PROVIDER_ERROR_BYTES,
  MAX_PROXY_REQUEST_BYTES,
  PROVIDER_IDLE_TIMEOUT_MS,
} from '../limits.ts';
import { bodyOf, readBeginning, toStream, watchBody } from '../outgoing/body.ts';
import type { Answer, Body } from '../outgoing/send.ts';
import type { Provider } from '../providers/catalogue.ts';
import { credentialHeader } from '../providers/credential.ts';
import { type KeyCheckResult, readCallAnswer } from '../providers/key-check-result.ts';
import { redactAnswer } from '../redaction/redact-answer.ts';
import { createExactRedactor, createRedactor } from '../redaction/redactor.ts';
import type { Secret } from '../secret.ts';
import { requestHeaders, responseHeaders } from './forwarded-headers.ts';
import { hasLinkMembers, rewriteLinkHeaders, rewriteLinkMembers } from './link-rewriter.ts';
import { type ProviderTransport, toProviderProblem } from './provider-transport.ts';
import type { Target } from './target.ts';

export type Exchange = {
  readonly request: Request;
  readonly provider: Provider;
  readonly target: Target;
  /** The caller's token and the request header it came in, and the key that replaces it. */
  readonly credentials: {
    readonly key: Secret;
    readonly token: Secret | undefined;
    readonly tokenHeader: string | undefined;
  };
};

export type ForwardedAnswer = {
  readonly response: Response;
  /** What the answer says about the key. */
  readonly keyStatus: KeyCheckResult;
};

/** A provider's page or file must not run as one of this deployment's, whatever its type. */
const CONTENT_POLICY = "sandbox; default-src 'none'";
const NULL_BODY_STATUSES = new Set([204, 205, 304]);

/**
 * Sends the request with exactly one credential, the key, and returns the provider's answer. A successful answer
 * streams, without the exact key. An error answer is read first, to redact every piece of the key in it. One that is
 * longer than 64 KiB is cut, and is plain text then.
 *
 * @throws Problem `provider_unreachable`, `provider_timeout`, `provider_redirected`, `provider_error` for a status
 *   that HTTP does not have, `body_too_large`.
 */
export async function sendToProvider(
  transport: ProviderTransport,
  exchange: Exchange,
): Promise<ForwardedAnswer> {
  const { request, provider, target, credentials } = exchange;
  const { key, token, tokenHeader } = credentials;
  const declaredBytes = Number(request.headers.get('content-length') ?? 0);
  if (declaredBytes > MAX_PROXY_REQUEST_BYTES) {
    throw bodyTooLarge(MAX_PROXY_REQUEST_BYTES, 'declared_length_too_large');
  }
  const body = request.body === null ? undefined : limitBody(bodyOf(request.body));
  const [name, value] = credentialHeader(provider, key, { headers: request.headers, tokenHeader });
  try {
    const answer = await transport.send({
      method: request.method,
      url: target.url,
      headers: { ...provider.headers, ...requestHeaders(request.headers, token), [name]: value },
      body: body?.limited,
      signal: request.signal,
      answerTimeoutMs: transport.timeoutMs,
      idleTimeoutMs: PROVIDER_IDLE_TIMEOUT_MS,
    });
    return await toResponse(answer, exchange);
  } catch (error) {
    if (body?.isTooLarge()) throw bodyTooLarge(MAX_PROXY_REQUEST_BYTES, 'received_length_too_large');
    throw toProviderProblem(error);
  }
}

async function toResponse(answer: Answer, exchange: Exchange): Promise<ForwardedAnswer> {
  const { request, provider, target, credentials } = exchange;
  const { status } = answer;
  await assertPassable(answer);
  if (status >= 400) return toErrorResponse(answer, exchange);
  const keyStatus = readCallAnswer(provider, target.path, status, undefined);
  const redact = createExactRedactor(credentials.key);
  if (request.method === 'HEAD' || NULL_BODY_STATUSES.has(status)) {
    await answer.body.cancel();
    return {
      response: new Response(null, { status, headers: passingHeaders(answer, exchange, redact) }),
      keyStatus,
    };
  }
  const hasLinks = hasLinkMembers(provider, answer.headers);
  const body = hasLinks ? rewriteLinkMembers(answer.body, provider, target.links) : answer.body;
  // The links first: a rewritten link has other escapes, so the key may be readable only then.
  const redacted = await redactAnswer({ ...answer, body }, credentials.key);
  const headers = passingHeaders(redacted, exchange, redact);
  if (hasLinks) headers.delete('content-length');
  return {
    response: new Response(toStream(redacted.body, redacted.readAhead), { status, headers }),
    keyStatus,
  };
}

/** An error may describe the key, so it is read, up to a limit, and every piece of the key is taken out of it. */
async function toErrorResponse(answer: Answer, exchange: Exchange): Promise<ForwardedAnswer> {
  const { request, provider, target, credentials } = exchange;
  const { status } = answer;
  const redact = await createRedactor(credentials.key);
  const headers = passingHeaders(answer, exchange, redact);
  if (request.method === 'HEAD') {
    await answer.body.cancel();
    const keyStatus = readCallAnswer(provider, target.path, status, undefined);
    return { response: new Response(null, { status, headers }), keyStatus };
  }
  headers.delete('content-length');
  const { text, isWhole } = await readErrorText(answer);
  const keyStatus = readCallAnswer(provider, target.path, status, text);
  if (text === undefined) headers.delete('content-encoding');
  if (!isWhole) headers.set('content-type', 'text/plain; charset=utf-8');
  const redacted = text === undefined ? null : redact(text);
  const body = isWhole ? redacted : (redacted?.slice(0, -CUT_ERROR_MARGIN_CHARACTERS) ?? null);
  return { response: new Response(body, { status, headers }), keyStatus };
}

function passingHeaders(answer: Answer, exchange: Exchange, redact: (text: string) => string): Headers {
  const headers = responseHeaders(answer.headers, redact);
  rewriteLinkHeaders(headers, exchange.provider, exchange.target.links);
  headers.set('content-security-policy', CONTENT_POLICY);
  return headers;
}

/** A redirect would carry the caller's token to another address, so it is refused; docs/decisions/5-redirects-refused.md. */
async function assertPassable({ status, body }: Answer): Promise<void> {
  const isRedirect = status >= 300 && status < 400 && status !== 304;
  const isUnusable = status < 200 || status > 599;
  if (!isRedirect && !isUnusable) return;
  await body.cancel();
  const members = { upstreamStatus: status };
  if (isRedirect) throw new Problem('provider_redirected', { members });
  throw new Problem('provider_error', { members, reason: 'provider_status_unusable' });
}

/**
 * The text of an error answer, or its beginning. Undefined if it cannot be redacted: compressed without being requested,
 * or in a charset other than UTF-8. UTF-16 without a declared charset is detected by its zero bytes.
 */
async function readErrorText(
  answer: Answer,
): Promise<{ readonly text: string | undefined; readonly isWhole: boolean }> {
  const encoding = answer.headers.get('content-encoding') ?? 'identity';
  const charset = /\bcharset\s*=\s*"?([^\s;"]*)/i.exec(answer.headers.get('content-type') ?? '')?.[1];
  if (encoding !== 'identity' || !/^utf-?8$/i.test(charset ?? 'utf-8')) {
    await answer.body.cancel();
    return { text: undefined, isWhole: true };
  }
  const { bytes, isWhole } = await readBeginning(answer.body, MAX_PROVIDER_ERROR_BYTES);
  return { text: bytes.includes(0) ? undefined : new TextDecoder().decode(bytes), isWhole };
}

/** The body, which fails once it is larger than a request may be. */
function limitBody(body: Body) {
  let length = 0;
  const limited = watchBody(body, (chunk) => {
    length += chunk.length;
    if (length > MAX_PROXY_REQUEST_BYTES) {
      throw bodyTooLarge(MAX_PROXY_REQUEST_BYTES, 'received_length_too_large');
    }
  });
  return { limited, isTooLarge: () => length > MAX_PROXY_REQUEST_BYTES };
}
