// What one object asks for, by itself: no other route can change what comes out here.
import type { ObjectRef } from '#api/kubernetes-object.ts';
import type { Problem } from '#api/problem.ts';
import type {
  ClientValidation,
  PathPolicy,
  Plaintext,
  Rule,
  StrictTransport,
  TlsMode,
  TlsVersion,
} from '#model/route-model.ts';
import { compareText } from '#model/text-order.ts';
import type { UpstreamTerms } from './upstream-terms.ts';

export interface TranslatedObject {
  readonly ref: ObjectRef;
  /** RFC 3339; empty for an object that never met an API server. */
  readonly creationTimestamp: string;
  /** False for one that is served only where its namespace owns the host already, or nobody does. */
  readonly mayClaim: boolean;
  readonly pathPolicy: PathPolicy;
  readonly hosts: readonly TranslatedHost[];
  /** The upstreams that its rules refer to. */
  readonly uses: readonly UpstreamUse[];
  /** References that lead nowhere: the object is served all the same. */
  readonly problems: readonly Problem[];
  /** What makes the whole object unfit to serve. */
  readonly faults: readonly Problem[];
}

export interface UpstreamUse {
  /** `namespace/service:port`, with more behind a space where terms are said: the id of an Upstream. */
  readonly id: string;
  /** Where the object refers to it. */
  readonly at: string;
  /** Undefined: as the Service and the settings say. */
  readonly terms: UpstreamTerms | undefined;
}

export interface TranslatedHost {
  /** As users write it: `shop.example.com`, `*.example.com`, `*`. What is claimed. */
  readonly hostname: string;
  /** How much a wildcard covers: any depth for an IngressRoute, one label for an Ingress. */
  readonly depth: 'AnyDepth' | 'OneLabel';
  /** Where it stands in the object: `spec.hostnames[0]`. */
  readonly at: string;
  readonly rules: readonly TranslatedRule[];
  /** Names of the Secrets of the object's namespace that hold its certificates, in the object's order. */
  readonly secretNames: readonly string[];
  /** Undefined: the object has nothing to do with TLS here. */
  readonly tls: WantedTls | undefined;
  /** Who ends TLS of this host; AsOthers: it serves beside whatever that is, as challenges of ACME do. */
  readonly tlsMode: TlsMode | 'AsOthers';
}

/** What an object says of the TLS of its hosts; undefined where it says nothing. */
export interface WantedTls {
  readonly plaintext: Plaintext | undefined;
  readonly minVersion: TlsVersion | undefined;
  readonly strictTransport: StrictTransport | undefined;
  readonly clientValidation: ClientValidation | undefined;
}

export interface TranslatedRule {
  readonly rule: Rule;
  /** Where each of its matches stands; the rule itself where it has none. */
  readonly places: readonly string[];
  /** It takes only what no rule of anybody takes: the default backend of an Ingress. */
  readonly isDefault: boolean;
}

/** Oldest first, then by name: the order in which objects may have what only one can have. */
export function byAge(a: TranslatedObject, b: TranslatedObject): number {
  return (
    compareText(a.creationTimestamp, b.creationTimestamp) ||
    compareText(a.ref.namespace, b.ref.namespace) ||
    compareText(a.ref.name, b.ref.name) ||
    compareText(a.ref.kind, b.ref.kind)
  );
}
