// What a request asks for and where it goes: head, route, pick. One object is reused by all requests of a connection.
import type { FaultCode } from '#http/fault.ts';
import { cookieValues } from '#http/cookie.ts';
import { BodyFraming } from '#http/message-head.ts';
import type { RequestHead } from '#http/message-head.ts';
import type { HeaderChanges } from '#filter/header-changes.ts';
import { rewritePath } from '#filter/path-rewrite.ts';
import type { RedirectedRequest } from '#filter/request-redirect.ts';
import type { RuleFilters } from '#filter/rule-filters.ts';
import { normalizePath, strictPathPolicy } from '#model/request-path.ts';
import type { CompiledRoute } from '#route/compiled-route.ts';
import type { MatchRequest } from '#route/match-request.ts';
import type { Endpoint } from '#upstream/endpoint.ts';
import { noHash } from '#upstream/upstream.ts';
import type { Upstream } from '#upstream/upstream.ts';
import { chooseUpstream } from './choose-upstream.ts';
import { isTold, toldField } from './forwarding.ts';
import type { Forwarding } from './forwarding.ts';
import type { Security } from './peer.ts';
import type { ServingTable } from './serving-table.ts';
import { hashOf } from './request-hash.ts';
import type { Session, Sessions } from './session.ts';

/** Cookies of one name that are looked at. */
const mostTokens = 4;

export class RoutedRequest implements MatchRequest {
  method = '';
  /** Host as the client sent it. */
  authority = '';
  /** As sent until a host is found; then in normal form, the very string that is matched. */
  path = '';
  query = '';
  /** What the backend gets: path and authority, unless the rule rewrites them. */
  forwardedPath = '';
  forwardedHost = '';
  route: CompiledRoute | undefined = undefined;
  upstream: Upstream | undefined = undefined;
  /** It came without TLS to a host that has it: the same request is to come again with it. */
  mustUpgrade = false;
  /** What is done to the fields of its response. */
  responseHeaders: HeaderChanges | undefined = undefined;
  /** What tells it apart for an upstream that goes by that; noHash: nothing. */
  hash = noHash;
  /** Of a rule that has sessions. */
  session: Session | undefined = undefined;
  #sessions: Sessions | undefined = undefined;
  #isSecure = false;
  /** The same for a response of our own that no rule has a say in. */
  hostHeaders: HeaderChanges | undefined = undefined;
  #head: RequestHead | undefined = undefined;
  #forwarding: Forwarding | undefined = undefined;

  clear(): void {
    this.method = '';
    this.authority = '';
    this.path = '';
    this.query = '';
    this.forwardedPath = '';
    this.forwardedHost = '';
    this.route = undefined;
    this.upstream = undefined;
    this.mustUpgrade = false;
    this.responseHeaders = undefined;
    this.hostHeaders = undefined;
    this.hash = noHash;
    this.session = undefined;
    this.#sessions = undefined;
  }

  /**
   * Judges the head, finds its route and picks an upstream by weight, or none where the rule answers itself. `head` is
   * read now and not kept. `security`: of the connection that it came by.
   */
  place(
    head: RequestHead,
    table: ServingTable | undefined,
    forwarding: Forwarding,
    security: Security | undefined,
  ): FaultCode | undefined {
    this.method = head.method;
    this.authority = head.authority;
    this.#splitTarget(head.target);
    if (head.expectsOther) return 'expectation-failed';
    if (head.method === 'CONNECT' || head.method === 'TRACE') return 'method-refused';
    if (head.target.includes('#')) return 'request-line-invalid';
    if (table === undefined) return 'not-ready';
    // `OPTIONS *` asks about the server itself, whatever its routes.
    if (head.target === '*') return undefined;
    this.#head = head;
    this.#forwarding = forwarding;
    const fault = this.#match(head.hostname, table, forwarding.scheme, security);
    this.#head = undefined;
    this.#forwarding = undefined;
    if (fault !== undefined || this.mustUpgrade) return fault;
    this.forwardedPath = this.path;
    this.forwardedHost = head.authority;
    const filters = this.route?.filters;
    if (filters !== undefined) {
      const refusal = this.#filter(filters, head, forwarding.clientAddress);
      if (refusal !== undefined || filters.answer !== undefined) return refusal;
    }
    return this.#pickUpstream(table, head, forwarding);
  }

  #filter(filters: RuleFilters, head: RequestHead, clientAddress: string): FaultCode | undefined {
    if (!filters.admits(clientAddress)) return 'client-denied';
    if (head.framing === BodyFraming.Length && head.contentLength > filters.maxBodyBytes)
      return 'body-too-large';
    const { rewrite } = filters;
    if (rewrite === undefined) return undefined;
    this.forwardedPath = rewritePath(rewrite.path, this.path);
    if (rewrite.hostname.kind === 'OtherHost') this.forwardedHost = rewrite.hostname.name;
    return undefined;
  }

  /** For the matcher, while the head is at hand: as backends get it, where a client could lie. */
  field(name: string): string | undefined {
    if (this.#forwarding !== undefined && isTold(this.#forwarding, name))
      return toldField(this.#forwarding, name, this.authority);
    return this.#head?.fields.combined(name);
  }

  #splitTarget(target: string): void {
    const question = target.indexOf('?');
    this.path = question < 0 ? target : target.slice(0, question);
    this.query = question < 0 ? '' : target.slice(question + 1);
  }

  #match(
    hostname: string,
    table: ServingTable,
    scheme: Forwarding['scheme'],
    security: Security | undefined,
  ): FaultCode | undefined {
    const host = table.routes.findHost(hostname);
    // What was proved to the client is another host's (RFC 9110 15.5.20). The name itself was, whatever has changed since.
    if (security !== undefined && host !== undefined) {
      const isOther = hostname !== security.serverName;
      if (isOther && host.tlsKey !== security.tlsKey) return 'misdirected';
      // Who was let in by other rules has to prove itself anew, by another connection.
      if (host.validationKey !== security.validationKey) return 'misdirected';
    }
    // A trusted proxy may have ended TLS in front of us.
    const isPlain = security === undefined && scheme === 'http';
    this.hostHeaders = isPlain ? undefined : host?.secureResponseHeaders;
    if (host === undefined && table.fallback === undefined) return 'route-not-found';
    const normal = normalizePath(this.path, host?.pathPolicy ?? strictPathPolicy);
    if (normal.kind === 'Refused') return 'path-rejected';
    this.path = normal.path;
    const plaintext = isPlain && host !== undefined ? host.plaintextFor(this.path) : 'Serve';
    if (
      security === undefined &&
      host?.isClosedWithoutCertificate(this.path) === true &&
      plaintext === 'Serve'
    )
      return 'plaintext-rejected';
    if (plaintext !== 'Serve') {
      this.mustUpgrade = plaintext === 'Redirect' && this.authority !== '';
      return this.mustUpgrade ? undefined : 'plaintext-rejected';
    }
    const candidate = host?.match(this);
    if (
      security === undefined &&
      candidate !== undefined &&
      host?.isRuleClosedWithoutCertificate(candidate) === true
    )
      return 'plaintext-rejected';
    const taken = candidate?.route;
    this.route = taken ?? table.fallback;
    if (isPlain) this.responseHeaders = this.route?.filters?.responseHeaders;
    else this.responseHeaders = taken === undefined ? this.hostHeaders : taken.secureResponseHeaders;
    return this.route === undefined ? 'route-not-found' : undefined;
  }

  #pickUpstream(table: ServingTable, head: RequestHead, forwarding: Forwarding): FaultCode | undefined {
    const route = this.route!;
    this.#recall(table, head, forwarding);
    const upstream = chooseUpstream(route, table, this.session?.key);
    if (typeof upstream === 'string') return upstream;
    this.upstream = upstream;
    upstream.retries.deposit();
    if (upstream.hashSource !== undefined)
      this.hash = hashOf(upstream.hashSource, head, this.query, forwarding.clientAddress);
    return undefined;
  }

  #recall({ sessions }: ServingTable, { fields }: RequestHead, { scheme }: Forwarding): void {
    const terms = this.route?.filters?.session;
    if (terms === undefined || sessions === undefined) return;
    const tokens =
      terms.source === 'Header'
        ? [fields.combined(terms.name.toLowerCase()) ?? '']
        : cookieValues(fields.combined('cookie'), terms.name, mostTokens);
    this.session = sessions.recall(tokens, terms, nowS());
    this.#sessions = sessions;
    this.#isSecure = scheme === 'https';
  }

  /** As the client asked, for redirects. */
  asked({ scheme }: Forwarding): RedirectedRequest {
    const { authority, path, query } = this;
    return { scheme, authority, path, query };
  }

  /** What a response of this endpoint tells the client of its session; empty: nothing new. */
  sessionLine({ seed }: Endpoint): string {
    const terms = this.route?.filters?.session;
    if (this.session === undefined || terms === undefined) return '';
    return this.#sessions?.lineFor(this.session, terms, seed, this.#isSecure, nowS()) ?? '';
  }
}

/** Other processes read it: the clock of the wall, not the monotonic one. */
function nowS(): number {
  return Math.floor(Date.now() / 1000);
}
