// RequestRedirect: the Location that a request is sent on to.
import { splitAuthority } from '#http/authority.ts';
import type { FilterOf } from '#model/filters.ts';
import { rewritePath } from './path-rewrite.ts';

/** What a redirect may keep of a request. */
export interface RedirectedRequest {
  readonly scheme: 'http' | 'https';
  /** Host and port as the client sent them; empty for HTTP/1.0 without Host. */
  readonly authority: string;
  readonly path: string;
  /** What follows `?`; empty without one. */
  readonly query: string;
}

const schemePort = { http: '80', https: '443' } as const;

/** An absolute URL; only the path and query where the request had no authority and the redirect gives none. */
export function locationOf(redirect: FilterOf<'RequestRedirect'>, request: RedirectedRequest): string {
  const path = rewritePath(redirect.path, request.path);
  const target = request.query === '' ? path : `${path}?${request.query}`;
  const scheme = redirect.scheme === 'AsRequested' ? request.scheme : redirect.scheme;
  const asked = splitAuthority(request.authority);
  const host = redirect.hostname.kind === 'OtherHost' ? redirect.hostname.name : asked.host;
  // `//` at its start would name another host.
  if (host === '') return target.startsWith('//') ? `/.${target}` : target;
  const port = portOf(redirect, asked.port);
  return `${scheme}://${host}${port === '' || port === schemePort[scheme] ? '' : `:${port}`}${target}`;
}

/** Empty: that of the scheme. */
function portOf({ port, scheme }: FilterOf<'RequestRedirect'>, asked: string): string {
  if (port !== 0) return String(port);
  // As a number: a client may write 080.
  return scheme === 'AsRequested' && asked !== '' ? String(Number(asked)) : '';
}
