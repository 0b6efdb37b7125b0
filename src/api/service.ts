// The fields of a Service that routing needs.
import { FieldReader } from './field-reader.ts';
import { readMeta } from './kubernetes-object.ts';
import type { KubernetesObject } from './kubernetes-object.ts';
import type { Problem } from './problem.ts';

export interface ServicePort {
  /** Empty for the only port of a Service that names none. */
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  /** As it is written; empty when nothing is. */
  readonly appProtocol: string;
}

export interface Service {
  /** `namespace/name`. */
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly type: string;
  /** The DNS name that a Service of type ExternalName stands for; empty for others. */
  readonly externalName: string;
  readonly ports: readonly ServicePort[];
  /** In order of preference; empty when nothing is known. */
  readonly ipFamilies: readonly string[];
}

/** Never fails: what does not read as a Service field reads as absent, since the API server owns this schema. */
export function readService(object: KubernetesObject): Service {
  const problems: Problem[] = [];
  const spec = new FieldReader(object['spec'] ?? {}, 'spec', problems);
  const { namespace, name } = readMeta(object);
  return {
    id: `${namespace}/${name}`,
    namespace,
    name,
    type: spec.string('type') ?? 'ClusterIP',
    externalName: spec.string('externalName') ?? '',
    ipFamilies: spec.strings('ipFamilies', 2),
    ports: spec.objects('ports', 1000).flatMap((port) => {
      const number = port.integer('port', 1, 65_535);
      if (number === undefined) return [];
      return [
        {
          name: port.string('name') ?? '',
          port: number,
          protocol: port.string('protocol') ?? 'TCP',
          appProtocol: port.string('appProtocol') ?? '',
        },
      ];
    }),
  };
}
