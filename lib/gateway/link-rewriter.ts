/**
 * Addresses in a provider's answers that an SDK calls next, with the caller's token in hand: led back through
 * the gateway, so that the token does not reach the provider and the call is paid by the user's key.
 */
import type { Provider } from '../providers/catalogue.ts';
import { changeMembers } from './json-member-rewriter.ts';

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
    const led = leadBack(headers.get(name) ?? '', way);
    if (led) headers.set(name, led);
    else headers.delete(name);
  }
}

/** Whether an answer can name such an address in its body. */
export function hasLinkMembers(provider: Provider, headers: Headers): boolean {
  const isPlain = (headers.get('content-encoding') ?? 'identity') === 'identity';
  return isPlain && isJson(headers) && (provider.links?.members ?? []).length > 0;
}

/**
 * A JSON body with the addresses in the provider's link members led back, however they are written. Every other byte
 * stays as it is, also addresses of other hosts and what is no address.
 */
export function leadMembersBack(
  body: ReadableStream<Uint8Array>,
  provider: Provider,
  way: WayBack,
): ReadableStream<Uint8Array> {
  const names = provider.links?.members ?? [];
  return body.pipeThrough(changeMembers(names, (address) => leadBack(address, way)));
}

/** What begins with two slashes is an address of the same scheme; URL parsers take either kind of slash. */
const NETWORK_PATH = /^[/\\]{2}/;

/**
 * The address at the gateway for one at the provider, http or https, in any spelling a URL parser takes for it. Empty
 * where it names another port of the provider's host; undefined where it is another host's, or none.
 */
function leadBack(address: string, { base, gateway }: WayBack): string | undefined {
  const origin = new URL(base);
  const url = parseAddress(address, origin);
  if (url === undefined || withoutDot(url.hostname) !== withoutDot(origin.hostname)) return undefined;
  if (url.port !== origin.port) return '';
  const prefix = origin.pathname.replace(/\/$/, '');
  const path = url.pathname.startsWith(`${prefix}/`) ? url.pathname.slice(prefix.length) : url.pathname;
  return gateway + path + url.search + url.hash;
}

/** Only what is absolute, or begins with a host: anything else an SDK takes for a path at the gateway. */
function parseAddress(address: string, origin: URL): URL | undefined {
  const start = NETWORK_PATH.test(withoutIgnored(address)) ? origin : undefined;
  if (!URL.canParse(address, start)) return undefined;
  const url = new URL(address, start);
  return url.protocol === 'https:' || url.protocol === 'http:' ? url : undefined;
}

/** URL parsers do not see tabs and line ends, and nothing up to a space at the beginning. */
function withoutIgnored(address: string): string {
  const start = [...address].findIndex((character) => character > ' ');
  return start === -1 ? '' : address.slice(start).replace(/[\t\n\r]/g, '');
}

/** A host name may end in a dot and be the same. */
function withoutDot(hostname: string): string {
  return hostname.replace(/\.$/, '');
}

function isJson(headers: Headers): boolean {
  return /^(?:application|text)\/(?:[\w.-]+\+)?json\b/i.test(headers.get('content-type') ?? '');
}
