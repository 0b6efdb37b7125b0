// The worker's table between two revisions: changes are compiled beside the live table and take effect in one step.
import type { Settings, Upstream as UpstreamModel, VirtualHost } from '#model/route-model.ts';
import type { ServingTable } from '#proxy/serving-table.ts';
import { CompiledHost } from '#route/compiled-host.ts';
import { RouteTable } from '#route/route-table.ts';
import { Upstream } from '#upstream/upstream.ts';
import type { Piece } from './table-state.ts';

export class StagedTable {
  #hosts = new Map<string, CompiledHost>();
  #upstreams = new Map<string, Upstream>();
  #newHosts = new Map<string, CompiledHost>();
  #newUpstreams = new Map<string, UpstreamModel>();
  readonly #removedHosts = new Set<string>();
  readonly #removedUpstreams = new Set<string>();

  stage(piece: Piece): void {
    for (const text of piece.hosts) {
      // The main thread has decoded and compiled this very text already.
      const host = new CompiledHost(JSON.parse(text) as VirtualHost);
      this.#newHosts.set(host.key, host);
    }
    for (const text of piece.upstreams) {
      const upstream = JSON.parse(text) as UpstreamModel;
      this.#newUpstreams.set(upstream.id, upstream);
    }
    for (const key of piece.removedHosts) this.#removedHosts.add(key);
    for (const id of piece.removedUpstreams) this.#removedUpstreams.add(id);
  }

  /** Everything staged since the last flip becomes one table. Upstreams that stay keep their connections. */
  flip(revision: number, settings: Settings): ServingTable {
    const hosts = new Map(this.#hosts);
    for (const key of this.#removedHosts) hosts.delete(key);
    for (const [key, host] of this.#newHosts) hosts.set(key, host);
    const upstreams = new Map(this.#upstreams);
    for (const id of this.#removedUpstreams) upstreams.delete(id);
    for (const [id, model] of this.#newUpstreams) {
      const known = upstreams.get(id);
      if (known === undefined) upstreams.set(id, new Upstream(model));
      else known.update(model);
    }
    for (const id of this.#removedUpstreams) this.#upstreams.get(id)?.retire();
    this.#hosts = hosts;
    this.#upstreams = upstreams;
    this.#newHosts = new Map();
    this.#newUpstreams = new Map();
    this.#removedHosts.clear();
    this.#removedUpstreams.clear();
    return { revision, settings, routes: new RouteTable(hosts), upstreams };
  }
}
