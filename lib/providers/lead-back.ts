/**
 * Addresses in a provider's answers that an SDK calls next, with the caller's token in hand: led back through
 * the gateway, so that the token does not reach the provider and the call is paid by the user's key.
 */
import type { Provider } from './catalogue.ts';

/** The provider's base, and the gateway's address for it. Neither ends in a slash. */
export type WayBack = { readonly base: string; readonly gateway: string };

/**
 * The way back for answers to this request: to the origin the caller used. Only the request's own address decides,
 * never `X-Forwarded-Host`. `X-Forwarded-Proto` may only make it https, so that no token is led to plain http
 * by a proxy that ends TLS before us.
 */
export function wayBack(request: Request, provider: Provider, base: string): WayBack {
  const url = new URL(request.url);
  const isSecure = url.protocol === 'https:' || request.headers.get('x-forwarded-proto') === 'https';
  return { base, gateway: `${isSecure ? 'https' : 'http'}://${url.host}/api/proxy/${provider.id}` };
}

/** Leads the provider's link headers back; one that names another host is left out. */
export function leadHeadersBack(headers: Headers, provider: Provider, way: WayBack): void {
  for (const name of provider.links?.headers ?? []) {
    const value = headers.get(name);
    if (value === null) continue;
    const led = value.replace(startOfLink(way.base), way.gateway);
    if (led === value) headers.delete(name);
    else headers.set(name, led);
  }
}

/** Whether an answer can name such an address in its body. */
export function hasLinkMembers(provider: Provider, headers: Headers): boolean {
  const isPlain = (headers.get('content-encoding') ?? 'identity') === 'identity';
  return isPlain && isJson(headers) && (provider.links?.members ?? []).length > 0;
}

/**
 * A JSON body with the addresses in the provider's link members led back. Every other byte stays as it is, also
 * addresses of other hosts, and the body streams: no more of it is held than an address may be long.
 */
export function leadMembersBack(
  body: ReadableStream<Uint8Array>,
  provider: Provider,
  way: WayBack,
): ReadableStream<Uint8Array> {
  const names = (provider.links?.members ?? []).map(escapePattern).join('|');
  const link = new RegExp(`("(?:${names})"\\s{0,4}:\\s{0,4}")${startOfLink(way.base).source.slice(1)}`, 'g');
  const longest = names.length + way.base.length + LONGEST_FRAME;
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const encoder = new TextEncoder();
  let held = '';
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        const led = (held + decoder.decode(chunk, { stream: true })).replace(link, `$1${way.gateway}`);
        const cut = cutBefore(led, led.length - longest);
        held = led.slice(cut);
        if (cut > 0) controller.enqueue(encoder.encode(led.slice(0, cut)));
      },
      flush(controller) {
        const led = (held + decoder.decode()).replace(link, `$1${way.gateway}`);
        if (led !== '') controller.enqueue(encoder.encode(led));
      },
    }),
  );
}

/** Quotes, colon and spaces around a member's name, the scheme with escaped slashes, and what must follow. */
const LONGEST_FRAME = 32;

/** `position`, or the one before it where that would part the two halves of a character. */
function cutBefore(text: string, position: number): number {
  const code = text.charCodeAt(position);
  return Math.max(0, code >= 0xdc00 && code <= 0xdfff ? position - 1 : position);
}

/** An address on the provider's host, http or https, up to where its path begins; JSON may escape slashes. */
function startOfLink(base: string): RegExp {
  const { host, pathname } = new URL(base);
  const prefix = pathname === '/' ? '' : `(?:${escapePattern(pathname)})?`;
  return new RegExp(`^https?:\\\\?/\\\\?/${escapePattern(host)}${prefix}(?=[/\\\\?])`);
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function isJson(headers: Headers): boolean {
  return /^application\/(?:[\w.-]+\+)?json\b/i.test(headers.get('content-type') ?? '');
}
