// All filters of one rule, compiled: what a request meets between its match and its backend, in this order.
//
//   clientIp       403 for an address that may not
//   maxBodyBytes   413 for a body that is too large
//   mostConcurrent 503 for what comes while so many are under way
//   answer         a redirect or a response of our own: no backend is asked
//   rewrite        the path and Host that the backend gets
//   requestHeaders the fields that the backend gets
//   responseHeaders the fields of its response, of a redirect and of a direct response
//   session        which backend and endpoint it goes to, where it was served before
//   retry          which failures are tried again
import { IpRanges } from '#http/ip-ranges.ts';
import type { Filter, FilterKind, FilterOf } from '#model/filters.ts';
import { HeaderChanges } from './header-changes.ts';

export type Answer = FilterOf<'RequestRedirect'> | FilterOf<'DirectResponse'>;

export class RuleFilters {
  readonly maxBodyBytes: number;
  readonly mostConcurrent: number;
  readonly answer: Answer | undefined;
  readonly rewrite: FilterOf<'UrlRewrite'> | undefined;
  readonly requestHeaders: HeaderChanges | undefined;
  readonly responseHeaders: HeaderChanges | undefined;
  readonly session: FilterOf<'SessionPersistence'> | undefined;
  readonly retry: FilterOf<'Retry'> | undefined;
  /** Not everyone is admitted. */
  readonly hasClientIp: boolean;
  readonly #allowed: IpRanges;
  readonly #denied: IpRanges;

  /** Throws a RangeError for a CIDR block that is none; translation lets none through. */
  constructor(filters: readonly Filter[]) {
    const clientIp = find(filters, 'ClientIp');
    this.hasClientIp = clientIp !== undefined;
    this.#allowed = rangesOf(clientIp?.allow ?? []);
    this.#denied = rangesOf(clientIp?.deny ?? []);
    this.maxBodyBytes = find(filters, 'RequestBody')?.maxBytes ?? Infinity;
    this.mostConcurrent = find(filters, 'ConcurrentRequests')?.most ?? Infinity;
    this.session = find(filters, 'SessionPersistence');
    this.retry = find(filters, 'Retry');
    this.answer = find(filters, 'RequestRedirect') ?? find(filters, 'DirectResponse');
    this.rewrite = find(filters, 'UrlRewrite');
    const requestHeaders = find(filters, 'RequestHeaders');
    const responseHeaders = find(filters, 'ResponseHeaders');
    this.requestHeaders = requestHeaders === undefined ? undefined : new HeaderChanges(requestHeaders);
    this.responseHeaders = responseHeaders === undefined ? undefined : new HeaderChanges(responseHeaders);
  }

  /** `address` is the client's own, as far as that is known; what is no address is not allowed. */
  admits(address: string): boolean {
    if (this.#denied.includes(address)) return false;
    return this.#allowed.isEmpty || this.#allowed.includes(address);
  }
}

/** Undefined for a rule without filters, so that its requests pay nothing. */
export function compileFilters(filters: readonly Filter[]): RuleFilters | undefined {
  return filters.length === 0 ? undefined : new RuleFilters(filters);
}

const none = new IpRanges([]);

/** Most rules have none, and lists of blocks are not small. */
function rangesOf(blocks: readonly string[]): IpRanges {
  return blocks.length === 0 ? none : new IpRanges(blocks);
}

function find<Kind extends FilterKind>(filters: readonly Filter[], kind: Kind): FilterOf<Kind> | undefined {
  return filters.find((filter): filter is FilterOf<Kind> => filter.kind === kind);
}
