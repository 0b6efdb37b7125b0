// What a worker serves by: one revision of routes and the live upstreams that it names.
import type { Settings, TlsVersion } from '#model/route-model.ts';
import type { CompiledRoute } from '#route/compiled-route.ts';
import type { RouteTable } from '#route/route-table.ts';
import type { TlsContext } from '#transport/secure-transport.ts';
import type { Upstream } from '#upstream/upstream.ts';
import type { Sessions } from './session.ts';

export interface SelectedTls {
  readonly kind: 'Selected';
  readonly context: TlsContext;
  readonly tlsKey: string;
  readonly minVersion: TlsVersion;
  readonly validationKey: string;
  /** Whether clients show a certificate. */
  readonly clients: 'NotAsked' | 'Asked' | 'Required';
}

/** What is served for the name of a ClientHello. */
export type TlsSelection =
  | SelectedTls
  /** A backend ends TLS. */
  | { readonly kind: 'Passthrough'; readonly route: CompiledRoute }
  /** There is no such host. */
  | { readonly kind: 'UnknownName' }
  /** The host has none, or none that can be used. */
  | { readonly kind: 'NoCertificate' };

/**
 * A request takes it once, at its head, and finds its route and its upstream then: later, the same lookups may answer for
 * a newer revision.
 */
export interface ServingTable {
  readonly revision: number;
  readonly settings: Settings;
  readonly routes: Pick<RouteTable, 'findHost'>;
  /** What takes a request that no rule takes; undefined: nothing does. */
  readonly fallback: CompiledRoute | undefined;
  readonly upstreams: { get(id: string): Upstream | undefined };
  /** Undefined: no rule has any. */
  readonly sessions: Sessions | undefined;
  /** `serverName` is undefined where the client names none. */
  selectTls(serverName: string | undefined): TlsSelection;
}
