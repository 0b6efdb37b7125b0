// Which IngressClasses are Flint's, and which of them a route without a class belongs to.
import { FieldReader } from './field-reader.ts';
import type { KubernetesObject } from './kubernetes-object.ts';

export const controllerName = 'flint.dev/ingress-controller';
const defaultAnnotation = 'ingressclass.kubernetes.io/is-default-class';

export interface IngressClass {
  readonly name: string;
  readonly controller: string;
  readonly isDefault: boolean;
}

export function readIngressClass(object: KubernetesObject): IngressClass {
  return {
    name: object.metadata.name,
    controller: new FieldReader(object['spec'] ?? {}, 'spec', []).string('controller') ?? '',
    isDefault: object.metadata.annotations?.[defaultAnnotation] === 'true',
  };
}
