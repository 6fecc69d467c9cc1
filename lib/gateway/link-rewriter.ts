/**
 * Addresses in a provider's answers that SDKs call next with the caller's token: rewritten to the gateway's own, so
 * that the token does not reach the provider and the call is paid by the user's key.
 */
import { mapBody } from '../outgoing/body.ts';
import type { Body } from '../outgoing/send.ts';
import type { Provider } from '../providers/catalogue.ts';
import { changeMembers } from './json-member-rewriter.ts';

/** The provider's base URL, and the gateway's URL for it. Neither ends in a slash. */
export type LinkRewriter = { readonly base: string; readonly gateway: string };

/**
 * Creates the rewriter for answers to this request. Links get the origin that the caller used, taken from the request URL
 * and never from `X-Forwarded-Host`. `X-Forwarded-Proto` can only change it to https, so that behind a proxy that
 * terminates TLS no token is sent over plain http. Of several values, the first is the one that the caller used.
 */
export function linkRewriter(request: Request, base: string, gatewayPath: string): LinkRewriter {
  const url = new URL(request.url);
  const isSecure = url.protocol === 'https:' || isForwardedOverTls(request.headers);
  return { base, gateway: `${isSecure ? 'https' : 'http'}://${url.host}${gatewayPath}` };
}

function isForwardedOverTls(headers: Headers): boolean {
  const [first = ''] = (headers.get('x-forwarded-proto') ?? '').split(',');
  return first.trim().toLowerCase() === 'https';
}

/** Rewrites the provider's link headers. A header that names another host is removed. */
export function rewriteLinkHeaders(headers: Headers, provider: Provider, links: LinkRewriter): void {
  for (const name of provider.links?.headers ?? []) {
    const rewritten = rewriteLink(headers.get(name) ?? '', links);
    if (rewritten) headers.set(name, rewritten);
    else headers.delete(name);
  }
}

/** Whether an answer can hold such an address in its body. */
export function hasLinkMembers(provider: Provider, headers: Headers): boolean {
  const isPlain = (headers.get('content-encoding') ?? 'identity') === 'identity';
  return isPlain && isJson(headers) && (provider.links?.members ?? []).length > 0;
}

/**
 * Rewrites the URLs in the provider's link members of a JSON body, in any notation. Every other byte is unchanged,
 * including URLs of other hosts and values that are not URLs.
 */
export function rewriteLinkMembers(body: Body, provider: Provider, links: LinkRewriter): Body {
  const names = provider.links?.members ?? [];
  return mapBody(
    body,
    changeMembers(names, (address) => rewriteLink(address, links)),
  );
}

/** An address that begins with two slashes has the scheme of the page; URL parsers accept either kind of slash. */
const NETWORK_PATH = /^[/\\]{2}/;

/**
 * The gateway's address for an address of the provider, http or https, in any spelling that a URL parser accepts. Empty
 * for another port of the provider's host; undefined for another host, or for a text that is no address.
 */
function rewriteLink(address: string, { base, gateway }: LinkRewriter): string | undefined {
  const origin = new URL(base);
  const url = parseAddress(address, origin);
  if (url === undefined || withoutDot(url.hostname) !== withoutDot(origin.hostname)) return undefined;
  if (url.port !== origin.port) return '';
  const prefix = origin.pathname.replace(/\/$/, '');
  const path = url.pathname.startsWith(`${prefix}/`) ? url.pathname.slice(prefix.length) : url.pathname;
  return gateway + path + url.search + url.hash;
}

/** Only an absolute address, or one that begins with a host: an SDK resolves any other against the gateway. */
function parseAddress(address: string, origin: URL): URL | undefined {
  const start = NETWORK_PATH.test(withoutIgnored(address)) ? origin : undefined;
  if (!URL.canParse(address, start)) return undefined;
  const url = new URL(address, start);
  return url.protocol === 'https:' || url.protocol === 'http:' ? url : undefined;
}

/** URL parsers ignore tabs and line ends, and control characters and spaces at the beginning. */
function withoutIgnored(address: string): string {
  const start = [...address].findIndex((character) => character > ' ');
  return start === -1 ? '' : address.slice(start).replace(/[\t\n\r]/g, '');
}

/** `host.` and `host` are the same host. */
function withoutDot(hostname: string): string {
  return hostname.replace(/\.$/, '');
}

function isJson(headers: Headers): boolean {
  return /^(?:application|text)\/(?:[\w.-]+\+)?json\b/i.test(headers.get('content-type') ?? '');
}
