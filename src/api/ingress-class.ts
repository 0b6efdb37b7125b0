// Which IngressClasses are Flint's, and which of them a route without a class belongs to.
import { FieldReader } from './field-reader.ts';
import { metaText, readMeta } from './kubernetes-object.ts';
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
    name: readMeta(object).name,
    controller: new FieldReader(object['spec'] ?? {}, 'spec', []).string('controller') ?? '',
    isDefault: metaText(object, 'annotations', defaultAnnotation) === 'true',
  };
}
