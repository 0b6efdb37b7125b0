// What a worker serves by: one revision of routes and the live upstreams that it names.
import type { Settings } from '#model/route-model.ts';
import type { RouteTable } from '#route/route-table.ts';
import type { Upstream } from '#upstream/upstream.ts';

/** Immutable but for the upstreams, whose endpoints change in place. A request takes it once, at its head. */
export interface ServingTable {
  readonly revision: number;
  readonly settings: Settings;
  readonly routes: RouteTable;
  readonly upstreams: ReadonlyMap<string, Upstream>;
}
