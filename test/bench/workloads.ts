// What the proxies are put under, in the order of the table.
import type { SceneName } from './scene.ts';
import { isWorkloadWanted } from './settings.ts';
import {
  browserHead,
  closingConnections,
  differentHeads,
  post10k,
  randomItems,
  randomPaths,
  randomTenants,
} from './wrk-scripts.ts';

export type Load =
  /** As fast as answers come: each connection sends its next request after the last answer. */
  | {
      readonly kind: 'closed';
      readonly path: string;
      readonly connections: number;
      readonly script: string;
    }
  /** As closed, over HTTP/2 with so many requests at a time on each connection. */
  | {
      readonly kind: 'streams';
      readonly path: string;
      readonly connections: number;
      readonly streams: number;
      /** Of gRPC: a message each way. */
      readonly isGrpc: boolean;
    }
  /** As closed, with a new connection and a full handshake for each. */
  | { readonly kind: 'handshakes'; readonly path: string; readonly connections: number }
  /** At a fixed rate, whatever the answers do. Hosts and paths as in the scene. */
  | {
      readonly kind: 'open';
      readonly rate: number;
      readonly connections: number;
      readonly hosts: number;
      readonly path: string;
      /** Above 0, each request takes one of so many paths, by number. */
      readonly paths: number;
    };

export interface Workload {
  readonly name: string;
  readonly scene: SceneName;
  readonly load: Load;
}

function closed(path: string, connections: number, script = ''): Load {
  return { kind: 'closed', path, connections, script };
}

function streams(path: string, connections: number, count: number, isGrpc = false): Load {
  return { kind: 'streams', path, connections, streams: count, isGrpc };
}

function open(rate: number): Load {
  return { kind: 'open', rate, connections: 64, hosts: 1, path: '/tiny', paths: 0 };
}

const all: readonly Workload[] = [
  { name: '64 keep-alive connections, tiny', scene: 'one', load: closed('/tiny', 64) },
  { name: 'browser head of 900 bytes', scene: 'one', load: closed('/tiny', 64, browserHead) },
  {
    name: 'browser head of 900 bytes, every one different',
    scene: 'one',
    load: closed('/tiny', 64, differentHeads),
  },
  { name: '10 KB response', scene: 'one', load: closed('/10k', 64) },
  { name: '1 MB response', scene: 'one', load: closed('/1m', 16) },
  { name: 'chunked response of 100 KB', scene: 'one', load: closed('/chunked', 64) },
  { name: 'POST of 10 KB', scene: 'one', load: closed('/post', 64, post10k) },
  { name: '1000 busy connections', scene: 'one', load: closed('/tiny', 1000) },
  { name: 'a new connection per request', scene: 'one', load: closed('/tiny', 64, closingConnections) },
  { name: 'open loop, 5,000 requests/s', scene: 'one', load: open(5000) },
  { name: 'open loop, 20,000 requests/s', scene: 'one', load: open(20_000) },
  { name: 'TLS, 64 keep-alive connections, tiny', scene: 'secure', load: closed('/tiny', 64) },
  { name: 'TLS, 10 KB response', scene: 'secure', load: closed('/10k', 64) },
  { name: 'TLS, 1 MB response', scene: 'secure', load: closed('/1m', 16) },
  // wrk takes its sessions up again where a server lets it.
  {
    name: 'TLS, a new connection per request, resumed',
    scene: 'secure',
    load: closed('/tiny', 64, closingConnections),
  },
  {
    name: 'TLS, a new connection per request, full handshakes',
    scene: 'secure',
    load: { kind: 'handshakes', path: '/tiny', connections: 16 },
  },
  { name: 'TLS to backends, tiny', scene: 'reencrypted', load: closed('/tiny', 64) },
  { name: 'TLS to backends, 10 KB response', scene: 'reencrypted', load: closed('/10k', 64) },
  { name: 'TLS to backends, 1 MB response', scene: 'reencrypted', load: closed('/1m', 16) },
  { name: 'TLS to backends, POST of 10 KB', scene: 'reencrypted', load: closed('/post', 64, post10k) },
  { name: 'HTTP/2, 16 connections of 16 streams, tiny', scene: 'http2', load: streams('/tiny', 16, 16) },
  { name: 'HTTP/2, 64 connections of 1 stream, tiny', scene: 'http2', load: streams('/tiny', 64, 1) },
  { name: 'HTTP/2, 16 connections of 16 streams, 10 KB', scene: 'http2', load: streams('/10k', 16, 16) },
  { name: 'gRPC, unary, 16 connections of 16 streams', scene: 'grpc', load: streams('/grpc', 16, 16, true) },
  {
    name: 'filters: headers changed both ways, clients by address, bodies bounded',
    scene: 'filtered',
    load: closed('/tiny', 64),
  },
  { name: '10 routes', scene: 'ten', load: closed('/', 64, randomPaths(1, 10)) },
  {
    name: '10,000 routes, 1000 hosts at random',
    scene: 'tenThousand',
    load: closed('/', 64, randomPaths(1000, 10)),
  },
  { name: '10 rules by header', scene: 'headers', load: closed('/tiny', 64, randomTenants(10)) },
  { name: '10 rules by regular expression', scene: 'expressions', load: closed('/', 64, randomItems(10)) },
];

export const workloads: readonly Workload[] = all.filter(({ name }) => isWorkloadWanted(name));
