// What a rule does to its requests and responses, with every default filled in: part of the contract of route-model.ts.
//
// A rule's list holds each kind at most once and in the order of `filterOrder`, which is the order in which they act.

export type Filter =
  /** 403 for everyone who is in `deny`, and for everyone who is not in `allow` unless that is empty. CIDR blocks. */
  | { readonly kind: 'ClientIp'; readonly allow: readonly string[]; readonly deny: readonly string[] }
  /** 413 for what is larger. */
  | { readonly kind: 'RequestBody'; readonly maxBytes: number }
  /** 503 for what comes while so many are under way, in one data-plane process. */
  | { readonly kind: 'ConcurrentRequests'; readonly most: number }
  | {
      readonly kind: 'RequestRedirect';
      readonly scheme: 'AsRequested' | 'http' | 'https';
      readonly hostname: HostRewrite;
      /** 0: that of the scheme if one is given, else as requested. */
      readonly port: number;
      readonly path: PathRewrite;
      readonly status: 301 | 302 | 303 | 307 | 308;
    }
  | {
      readonly kind: 'DirectResponse';
      readonly status: number;
      readonly contentType: string;
      readonly body: string;
    }
  | { readonly kind: 'UrlRewrite'; readonly hostname: HostRewrite; readonly path: PathRewrite }
  | ({ readonly kind: 'RequestHeaders' } & HeaderChanges)
  | ({ readonly kind: 'ResponseHeaders' } & HeaderChanges)
  | ({ readonly kind: 'SessionPersistence' } & SessionPersistence)
  /**
   * Responses of these statuses, and attempts that take too long, are tried again: `attempts` times at most, each on another
   * endpoint, the first time after `backoffMs` or less. Only what may be sent twice.
   */
  | {
      readonly kind: 'Retry';
      readonly attempts: number;
      readonly codes: readonly number[];
      readonly backoffMs: number;
    };

export type FilterKind = Filter['kind'];
export type FilterOf<Kind extends FilterKind> = Extract<Filter, { readonly kind: Kind }>;

export const filterOrder: readonly FilterKind[] = [
  'ClientIp',
  'RequestBody',
  'ConcurrentRequests',
  'RequestRedirect',
  'DirectResponse',
  'UrlRewrite',
  'RequestHeaders',
  'ResponseHeaders',
  'SessionPersistence',
  'Retry',
];

/** A client that has been to an endpoint comes back to it, by what it was given there. */
export interface SessionPersistence {
  readonly source: 'Cookie' | 'Header';
  /** Of the cookie or field. */
  readonly name: string;
  /** Of a cookie: as long as the browser is open, or as long as the session. */
  readonly lifetime: 'Session' | 'Permanent';
  /** Milliseconds after which it ends, whatever happens; 0: never. */
  readonly absoluteMs: number;
  /** Milliseconds without a request after which it ends; 0: never. */
  readonly idleMs: number;
}

export type HostRewrite =
  | { readonly kind: 'SameHost' }
  | { readonly kind: 'OtherHost'; readonly name: string };

/** Paths in normal form; `prefix` and `replacement` without a trailing slash, empty for the root. */
export type PathRewrite =
  | { readonly kind: 'SamePath' }
  | { readonly kind: 'OtherPath'; readonly path: string }
  | { readonly kind: 'OtherPrefix'; readonly prefix: string; readonly replacement: string };

/** `remove`, then `set`, then `add`. Removed names are lower-case, the others as they are to be written. */
export interface HeaderChanges {
  readonly remove: readonly string[];
  readonly set: readonly HeaderField[];
  readonly add: readonly HeaderField[];
}

export interface HeaderField {
  readonly name: string;
  readonly value: string;
}
