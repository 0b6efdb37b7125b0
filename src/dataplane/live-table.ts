// The table of one thread: texts in shared memory, and what requests have made of them so far.
import type { Endpoint, Fallback } from '#model/route-model.ts';
import type { ServingTable, TlsSelection } from '#proxy/serving-table.ts';
import { Sessions } from '#proxy/session.ts';
import { CompiledHost } from '#route/compiled-host.ts';
import { CompiledRoute } from '#route/compiled-route.ts';
import { RouteTable } from '#route/route-table.ts';
import type { SecureTransport } from '#transport/secure-transport.ts';
import { alone } from '#upstream/surroundings.ts';
import type { Surroundings } from '#upstream/surroundings.ts';
import { Upstream } from '#upstream/upstream.ts';
import { readHost } from './host-text.ts';
import { LiveContexts } from './live-contexts.ts';
import { LiveValues } from './live-values.ts';
import type { LiveKind } from './live-values.ts';
import { SlabReader } from './slabs.ts';
import { StagedIndex } from './staged-index.ts';
import type { Gone, Piece, TableHead } from './table-state.ts';
import { readUpstream } from './upstream-text.ts';
import type { ServedUpstream } from './upstream-text.ts';
import type { ResolvedEndpoints } from './worker-protocol.ts';

/** Compiled hosts and upstreams of a thread take 1 to 3 KB each; to make one again takes some 20 us. */
const mostHosts = 2048;
const mostUpstreams = 4096;

/** After a flip, between two looks at the sockets. */
const forgottenAtOnce = 512;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const everyoneIsWell: ReadonlySet<string> = new Set();
const noFallback = { text: '', route: undefined };

const defaultBounds: TableBounds = { hosts: mostHosts, upstreams: mostUpstreams };
const unknownName: TlsSelection = { kind: 'UnknownName' };

/** What a thread that ends TLS does it with. */
export interface TlsTerms {
  readonly transport: SecureTransport;
  /** 48 bytes, those of all threads. */
  readonly ticketKeys: Buffer;
}

export interface TableBounds {
  readonly hosts: number;
  readonly upstreams: number;
}

export class LiveTable {
  readonly #slabs = new SlabReader();
  readonly #indexes = {
    hosts: new StagedIndex(this.#slabs),
    upstreams: new StagedIndex(this.#slabs),
    certificates: new StagedIndex(this.#slabs),
  };
  readonly #hosts: LiveValues<CompiledHost>;
  readonly #upstreams: LiveValues<Upstream>;
  /** Undefined: this thread ends no TLS. */
  readonly #contexts: LiveContexts | undefined;
  #isTidying = false;
  /** As the upstreams see them: what is assigned here holds for all. */
  readonly #surroundings: Writable<Surroundings>;
  /** What checks say, by upstream: endpoints that do not serve. */
  readonly #unwell = new Map<string, ReadonlySet<string>>();
  /** What DNS says, by upstream. */
  readonly #resolved = new Map<string, readonly Endpoint[]>();
  #sessions: { readonly key: string; readonly sessions: Sessions | undefined } = {
    key: '',
    sessions: undefined,
  };
  #fallback: { readonly text: string; readonly route: CompiledRoute | undefined } = noFallback;

  /** `tls`: absent where it is not ended. `surroundings`: what is known of them before the first table. */
  constructor(bounds: TableBounds = defaultBounds, tls?: TlsTerms, surroundings: Surroundings = alone) {
    this.#surroundings = { ...surroundings, secure: tls?.transport };
    this.#contexts =
      tls === undefined
        ? undefined
        : new LiveContexts(this.#indexes.certificates, tls.transport, tls.ticketKeys);
    this.#hosts = new LiveValues(this.#indexes.hosts, hostKind, bounds.hosts);
    this.#upstreams = new LiveValues(this.#indexes.upstreams, this.#upstreamKind(), bounds.upstreams);
  }

  /** Whether this head needs what was not given yet: it has to come before the flip. */
  lacksSecureTransport({ hasSecuredUpstreams }: TableHead): boolean {
    return hasSecuredUpstreams && this.#surroundings.secure === undefined;
  }

  useSecureTransport(transport: SecureTransport): void {
    this.#surroundings.secure = transport;
  }

  stage({ sizes, slabs, added, removed }: Piece): void {
    this.#indexes.hosts.reserve(sizes.hosts);
    this.#indexes.upstreams.reserve(sizes.upstreams);
    this.#indexes.certificates.reserve(sizes.certificates);
    for (const [slab, memory] of slabs) this.#slabs.add(slab, memory);
    for (const block of added) this.#indexes[block.kind].stage(block);
    for (const block of removed) this.#indexes[block.kind].stageRemoval(block);
  }

  /** Everything staged since the last flip becomes one table. Upstreams that stay keep their connections. */
  flip(
    { revision, settings, hasWildcards, zone, sessionKey }: TableHead,
    { goneSlabs, goneNames }: Gone,
  ): ServingTable {
    this.#indexes.hosts.flip();
    this.#indexes.upstreams.flip();
    this.#indexes.certificates.flip();
    for (const slab of goneSlabs) this.#slabs.delete(slab);
    for (const id of goneNames) this.#resolved.delete(id);
    this.#surroundings.outlierEjection = settings.outlierEjection;
    if (zone !== this.#surroundings.zone) {
      this.#surroundings.zone = zone;
      this.#upstreams.invalidate();
    }
    this.#hosts.beginRefresh();
    this.#upstreams.beginRefresh();
    this.#tidyLater();
    const routes = new RouteTable(this.#hosts, hasWildcards);
    return {
      revision,
      settings,
      routes,
      fallback: this.#compileFallback(settings.fallback),
      upstreams: this.#upstreams,
      sessions: this.#sessionsOf(sessionKey),
      selectTls: (serverName) => {
        const host = serverName === undefined ? undefined : routes.findHost(serverName);
        const selection =
          host === undefined || host.hasDefaultTls
            ? this.#contexts?.selectDefault(settings.defaultCertificate)
            : undefined;
        return selection ?? (host === undefined ? undefined : this.#contexts?.select(host)) ?? unknownName;
      },
    };
  }

  /** News of upstreams of a DNS name, whether or not the table has them yet. */
  resolve(resolved: readonly ResolvedEndpoints[]): void {
    for (const [id, endpoints] of resolved) {
      this.#resolved.set(id, endpoints);
      this.#upstreams.renew(id);
    }
  }

  /** All endpoints of an upstream that are unwell, as `address port`, whether or not the table has it yet. */
  setUnwell(id: string, keys: readonly string[]): void {
    const unwell = new Set(keys);
    if (unwell.size === 0) this.#unwell.delete(id);
    else this.#unwell.set(id, unwell);
    this.#upstreams.known(id)?.setUnwell(unwell);
  }

  #upstreamKind(): LiveKind<Upstream> {
    const read = (id: string, text: string): ServedUpstream => {
      const upstream = readUpstream(id, text);
      return upstream.isNamed ? { ...upstream, endpoints: this.#resolved.get(id) ?? [] } : upstream;
    };
    return {
      make: (id, text) => {
        const upstream = new Upstream(read(id, text), this.#surroundings);
        upstream.setUnwell(this.#unwell.get(id) ?? everyoneIsWell);
        return upstream;
      },
      renew: (upstream, id, text) => {
        upstream.update(read(id, text));
        upstream.setUnwell(this.#unwell.get(id) ?? everyoneIsWell);
        return upstream;
      },
      isTold: true,
      isBusy: (upstream) => upstream.isBusy,
      end: (upstream) => upstream.retire(),
    };
  }

  #sessionsOf(key: string): Sessions | undefined {
    if (key !== this.#sessions.key)
      this.#sessions = { key, sessions: key === '' ? undefined : new Sessions(key) };
    return this.#sessions.sessions;
  }

  #compileFallback(fallback: Fallback): CompiledRoute | undefined {
    if (fallback.kind === 'NotFound') return undefined;
    const text = JSON.stringify(fallback);
    if (text !== this.#fallback.text) this.#fallback = { text, route: new CompiledRoute(fallback.rule) };
    return this.#fallback.route;
  }

  /** What is gone ends soon, although nobody asks for it any more, and in small pieces: requests come first. */
  #tidyLater(): void {
    if (this.#isTidying) return;
    this.#isTidying = true;
    setImmediate(() => {
      this.#isTidying = false;
      const { hosts, upstreams, certificates } = this.#indexes;
      if (
        this.#upstreams.refresh() ||
        this.#hosts.refresh() ||
        hosts.settle(forgottenAtOnce) ||
        upstreams.settle(forgottenAtOnce) ||
        certificates.settle(forgottenAtOnce)
      )
        this.#tidyLater();
    });
  }
}

const hostKind: LiveKind<CompiledHost> = {
  // The main thread has compiled this very text already.
  make: (key, text) => new CompiledHost(readHost(key, text)),
  renew: (_, key, text) => new CompiledHost(readHost(key, text)),
  isTold: false,
  isBusy: () => false,
  end: () => {},
};
