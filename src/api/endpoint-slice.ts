// The fields of an EndpointSlice that routing needs.
import { FieldReader } from './field-reader.ts';
import { familyOf } from './ip-address.ts';
import { metaText, readMeta } from './kubernetes-object.ts';
import type { KubernetesObject } from './kubernetes-object.ts';
import type { Problem } from './problem.ts';

const serviceNameLabel = 'kubernetes.io/service-name';

export interface SliceEndpoint {
  /** Kubernetes promises that the entries of one endpoint are interchangeable; consumers use the first. */
  readonly address: string;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** The zones that it is meant for; empty where nothing is said. */
  readonly zones: readonly string[];
  /** Where it stands; empty: nobody says. */
  readonly zone: string;
}

export interface SlicePort {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
}

export interface EndpointSlice {
  readonly namespace: string;
  readonly name: string;
  /** `namespace/name` of the Service it belongs to. */
  readonly serviceId: string;
  readonly addressType: string;
  readonly ports: readonly SlicePort[];
  readonly endpoints: readonly SliceEndpoint[];
}

const noZones: readonly string[] = [];
/** Where a slice keeps its endpoints as text. No manifest can say it. */
const packed = Symbol('endpoints');

interface MayBePacked {
  readonly [packed]?: string;
}

/** The slice with its endpoints as one text: of those a cluster has very many, and as objects they take four times as much. */
export function packEndpoints<T extends KubernetesObject>(object: T): T {
  const { endpoints, ...rest } = object;
  return { ...rest, [packed]: JSON.stringify(endpoints ?? []) } as unknown as T;
}

/** Undefined where they are not packed. What is equal says the same. */
export function packedEndpoints(object: KubernetesObject): string | undefined {
  return (object as MayBePacked)[packed];
}

function unpacked(object: KubernetesObject): KubernetesObject {
  const text = packedEndpoints(object);
  return text === undefined ? object : { ...object, endpoints: JSON.parse(text) as unknown };
}

/** `namespace/name` of the Service that a slice belongs to. */
export function serviceIdOf(object: KubernetesObject): string {
  return `${readMeta(object).namespace}/${metaText(object, 'labels', serviceNameLabel)}`;
}

/** Never fails, as readService. Absent conditions read as KEP-1669 says: ready, serving as ready, not terminating. */
export function readEndpointSlice(object: KubernetesObject): EndpointSlice {
  const problems: Problem[] = [];
  const slice = new FieldReader(unpacked(object), '', problems);
  const { namespace, name } = readMeta(object);
  const addressType = slice.string('addressType') ?? '';
  return {
    namespace,
    name,
    serviceId: serviceIdOf(object),
    addressType,
    ports: slice.objects('ports', 20_000).flatMap((port) => {
      const number = port.integer('port', 1, 65_535);
      if (number === undefined) return [];
      return [{ name: port.string('name') ?? '', port: number, protocol: port.string('protocol') ?? 'TCP' }];
    }),
    endpoints: slice.objects('endpoints', 1000).flatMap((endpoint) => {
      const [address] = endpoint.strings('addresses', 100);
      // An FQDN slice has names; names are not resolved, and nothing else may pass for an address either.
      if (address === undefined || familyOf(address) !== addressType) return [];
      const conditions = endpoint.object('conditions');
      const ready = conditions?.boolean('ready') ?? true;
      const serving = conditions?.boolean('serving') ?? ready;
      const terminating = conditions?.boolean('terminating') ?? false;
      const hinted = endpoint.object('hints')?.objects('forZones', 64) ?? [];
      const zones = hinted.flatMap((zone) => zone.string('name') ?? []);
      const zone = endpoint.string('zone') ?? '';
      return [{ address, ready, serving, terminating, zones: zones.length === 0 ? noZones : zones, zone }];
    }),
  };
}
