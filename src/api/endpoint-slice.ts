// The fields of an EndpointSlice that routing needs.
import { FieldReader } from './field-reader.ts';
import type { KubernetesObject } from './kubernetes-object.ts';
import type { Problem } from './problem.ts';

const serviceNameLabel = 'kubernetes.io/service-name';

export interface SliceEndpoint {
  /** Kubernetes promises that the entries of one endpoint are interchangeable; consumers use the first. */
  readonly address: string;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
}

export interface SlicePort {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
}

export interface EndpointSlice {
  readonly namespace: string;
  readonly name: string;
  /** The Service it belongs to, empty for none. */
  readonly service: string;
  readonly addressType: string;
  readonly ports: readonly SlicePort[];
  readonly endpoints: readonly SliceEndpoint[];
}

/** Never fails, as readService. Absent conditions read as KEP-1669 says: ready, serving as ready, not terminating. */
export function readEndpointSlice(object: KubernetesObject): EndpointSlice {
  const problems: Problem[] = [];
  const slice = new FieldReader(object, '', problems);
  return {
    namespace: object.metadata.namespace ?? '',
    name: object.metadata.name,
    service: object.metadata.labels?.[serviceNameLabel] ?? '',
    addressType: slice.string('addressType') ?? '',
    ports: slice.objects('ports', 20_000).flatMap((port) => {
      const number = port.integer('port', 1, 65_535);
      if (number === undefined) return [];
      return [{ name: port.string('name') ?? '', port: number, protocol: port.string('protocol') ?? 'TCP' }];
    }),
    endpoints: slice.objects('endpoints', 1000).flatMap((endpoint) => {
      const [address] = endpoint.strings('addresses', 100);
      if (address === undefined) return [];
      const conditions = endpoint.object('conditions');
      const ready = conditions?.boolean('ready') ?? true;
      const serving = conditions?.boolean('serving') ?? ready;
      return [{ address, ready, serving, terminating: conditions?.boolean('terminating') ?? false }];
    }),
  };
}
