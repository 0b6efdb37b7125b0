// What the main thread and a worker say to each other.
//
//   main:   stage... flip ----------> listen --------> stage... flip ... drain
//   worker:  staged... flipped        listening         staged... flipped   drained
//
// Every stage is answered before the next is sent: a thread handles a whole queue of messages before it looks at its
// sockets again, so only an empty queue lets requests through between two pieces.
import { defaultParserLimits } from '#h1/parser-limits.ts';
import type { ParserLimits } from '#h1/parser-limits.ts';
import type { Endpoint } from '#model/route-model.ts';
import { defaultConcurrentStreams } from '#proxy/connection-words.ts';
import type { ListenOptions } from '#transport/transport.ts';
import type { EjectionReason } from '#upstream/outlier.ts';
import type { Gone, Piece, TableHead } from './table-state.ts';
import type { Unwell } from './unwell-news.ts';

/** What holds for every connection of a data plane. */
export interface ProxySettings {
  readonly limits: ParserLimits;
  /** A request body that comes slower, on average, ends with 408; 0: none is too slow. */
  readonly bodyBytesPerSecond: number;
  /** Streams that a client of HTTP/2 may have open at a time. */
  readonly concurrentStreams: number;
  /** Client connections of one worker; 0: as many as the descriptors of the process allow. */
  readonly connections: number;
  /** And of them, those of one client; 0: any. */
  readonly connectionsPerClient: number;
  /** Bytes that the process may have resident; 0: as many as its cgroup may. */
  readonly memoryBytes: number;
  /** CIDR blocks of proxies in front of this one. */
  readonly trustedProxies: readonly string[];
  /** CIDR blocks of peers whose connections begin with a PROXY protocol header. */
  readonly proxyProtocolPeers: readonly string[];
  /** Where clients reach this data plane with TLS, for redirects. */
  readonly publicHttpsPort: number;
}

export const defaultProxySettings: ProxySettings = {
  limits: defaultParserLimits,
  bodyBytesPerSecond: 0,
  concurrentStreams: defaultConcurrentStreams,
  connections: 0,
  connectionsPerClient: 0,
  memoryBytes: 0,
  trustedProxies: [],
  proxyProtocolPeers: [],
  publicHttpsPort: 443,
};

/** What DNS says of an upstream. */
export type ResolvedEndpoints = readonly [upstream: string, endpoints: readonly Endpoint[]];

/** What a thread is started with. */
export interface WorkerStart {
  readonly metrics: SharedArrayBuffer;
  /** See worker-vitals.ts. */
  readonly vitals: SharedArrayBuffer;
  /** Where it notes what it holds; undefined: its runtime closes that. */
  readonly leftovers: SharedArrayBuffer | undefined;
  /** One word: a MemoryLevel. The same for all threads. */
  readonly memoryLevel: SharedArrayBuffer;
  readonly hasAccessLog: boolean;
  readonly proxy: ProxySettings;
  /** How many threads share the limits of a process. */
  readonly workers: number;
  /** Those of all threads; undefined: TLS is not ended here. */
  readonly ticketKeys: Uint8Array | undefined;
}

export type ToWorker =
  | ({ readonly kind: 'Stage' } & Piece)
  /** With the last piece: a small change takes one message. */
  | ({
      readonly kind: 'Flip';
      /** Where the counters of a route are kept, for the routes that are new. */
      readonly slots: readonly (readonly [objectId: string, slot: number])[];
      readonly removedSlots: readonly string[];
    } & Piece &
      TableHead &
      Gone)
  /** Not answered. */
  | { readonly kind: 'Resolved'; readonly resolved: readonly ResolvedEndpoints[] }
  /** Not answered. */
  | { readonly kind: 'Health'; readonly unwell: Unwell }
  /** Memory is short: streams that hold `bytes` are given up, and garbage is collected. Not answered. */
  | { readonly kind: 'Relieve'; readonly bytes: number }
  | { readonly kind: 'Listen'; readonly options: ListenOptions; readonly isSecure: boolean }
  | { readonly kind: 'TurnAway' }
  | { readonly kind: 'Drain'; readonly patienceMs: number; readonly graceMs: number };

export type FromWorker =
  | { readonly kind: 'Staged' }
  | { readonly kind: 'Flipped'; readonly revision: number }
  | { readonly kind: 'Listening'; readonly port: number }
  | { readonly kind: 'ListenFailed'; readonly message: string }
  | { readonly kind: 'TurnedAway' }
  | { readonly kind: 'Drained' }
  /** An endpoint has failed too often: this thread leaves it alone for a while. */
  | {
      readonly kind: 'Ejected';
      readonly upstream: string;
      readonly endpoint: string;
      readonly reason: EjectionReason;
      readonly durationMs: number;
    }
  /** Whole lines of the access log. */
  | { readonly kind: 'AccessLog'; readonly lines: string };
