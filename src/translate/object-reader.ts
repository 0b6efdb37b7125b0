// IngressRoutes and Ingresses -> what each asks for, or why it is refused or not ours. What an object asks for is kept
// for as long as the object and the Services that it named stay the same.
import { controllerName, readIngressClass } from '#api/ingress-class.ts';
import type { IngressClass } from '#api/ingress-class.ts';
import { parseIngress } from '#api/ingress.ts';
import { parseIngressRoute } from '#api/ingress-route.ts';
import type { IssuerRef } from '#api/route-tls.ts';
import { refOf } from '#api/kubernetes-object.ts';
import type { KubernetesObject, ObjectRef } from '#api/kubernetes-object.ts';
import type { Problem } from '#api/problem.ts';
import type { Service } from '#api/service.ts';
import { compareText } from '#model/text-order.ts';
import type { AuthorityIndex, AuthorityState } from './authorities.ts';
import { whyIngressNotOurs } from './class-of-ingress.ts';
import { whyNotOurs } from './class-of-route.ts';
import { translateIngress } from './ingress.ts';
import { translateIngressRoute } from './ingress-route.ts';
import type { Lookup } from './lookup.ts';
import type { ServiceIndex } from './service-index.ts';
import type { TranslatedObject } from './translated-object.ts';
import type { Verdict } from './verdict.ts';

export type ReadObject =
  | { readonly kind: 'Fit'; readonly object: TranslatedObject; readonly issuer: IssuerRef | undefined }
  | { readonly kind: 'Unfit'; readonly verdict: Verdict };

/** What it was answered, by what it asked for. */
interface Asked {
  readonly services: Map<string, Service | undefined>;
  readonly authorities: Map<string, AuthorityState>;
}

interface Known {
  readonly read: ReadObject;
  /** What it was read from: a spec may stand in several objects of one file. */
  readonly ref: ObjectRef;
  readonly asked: Asked;
  readonly classes: readonly IngressClass[];
}

export class ObjectReader {
  readonly #index: ServiceIndex;
  readonly #authorities: AuthorityIndex;
  readonly #allowsExternalNames: boolean;
  /** By the spec: an object whose status has changed is shown with the same one. */
  readonly #known = new WeakMap<object, Known>();
  #classObjects: readonly KubernetesObject[] | undefined = undefined;
  #classes: readonly IngressClass[] = [];

  constructor(index: ServiceIndex, authorities: AuthorityIndex, allowsExternalNames: boolean) {
    this.#index = index;
    this.#authorities = authorities;
    this.#allowsExternalNames = allowsExternalNames;
  }

  /**
   * Whether there are others now. `assumed`: the name of a class of this controller, where classes cannot be read; empty:
   * they can.
   */
  updateClasses(objects: readonly KubernetesObject[], assumed: string): boolean {
    if (objects === this.#classObjects) return false;
    this.#classObjects = objects;
    // In the order of their names, of which messages name the first.
    const classes = [...objects.map(readIngressClass), ...assumedClass(assumed)].sort((a, b) =>
      compareText(a.name, b.name),
    );
    if (JSON.stringify(classes) === JSON.stringify(this.#classes)) return false;
    this.#classes = classes;
    return true;
  }

  /** The same value for as long as the object, its Services, those whom it trusts and the classes stay the same. */
  read(object: KubernetesObject): ReadObject {
    const ref = refOf(object);
    const known = this.#known.get(specOf(object));
    if (known !== undefined && this.#isAsBefore(known, ref)) return known.read;
    const asked: Asked = { services: new Map(), authorities: new Map() };
    const read = this.#read(object, ref, {
      service: (key) => {
        const service = this.#index.service(key);
        asked.services.set(key, service);
        return service;
      },
      authority: (id) => {
        const authority = this.#authorities.authority(id);
        asked.authorities.set(id, authority);
        return authority;
      },
      allowsExternalNames: this.#allowsExternalNames,
    });
    this.#known.set(specOf(object), { read, ref, asked, classes: this.#classes });
    return read;
  }

  #isAsBefore(known: Known, { kind, namespace, name }: ObjectRef): boolean {
    const { ref, asked, classes } = known;
    if (classes !== this.#classes || ref.name !== name || ref.namespace !== namespace || ref.kind !== kind)
      return false;
    for (const [key, service] of asked.services) if (this.#index.service(key) !== service) return false;
    for (const [id, authority] of asked.authorities)
      if (this.#authorities.authority(id) !== authority) return false;
    return true;
  }

  #read(object: KubernetesObject, ref: ObjectRef, lookup: Lookup): ReadObject {
    if (object.kind === 'Ingress') {
      const parsed = parseIngress(object);
      if (parsed.kind === 'Refused') return rejected(ref, parsed.problems);
      const foreign = whyIngressNotOurs(parsed.value, this.#classes);
      if (foreign !== undefined) return notOurs(ref, foreign);
      return fitOrNot(ref, translateIngress(parsed.value, lookup), undefined);
    }
    const parsed = parseIngressRoute(object);
    if (parsed.kind === 'Refused') return rejected(ref, parsed.problems);
    const route = parsed.value;
    const foreign = whyNotOurs(route.ingressClassName, this.#classes);
    if (foreign !== undefined) return notOurs(ref, foreign);
    return fitOrNot(ref, translateIngressRoute(route, lookup), route.tls?.issuerRef);
  }
}

function fitOrNot(ref: ObjectRef, object: TranslatedObject, issuer: IssuerRef | undefined): ReadObject {
  return object.faults.length === 0 ? { kind: 'Fit', object, issuer } : rejected(ref, object.faults);
}

function rejected(object: ObjectRef, problems: readonly Problem[]): ReadObject {
  return { kind: 'Unfit', verdict: { kind: 'Rejected', object, problems } };
}

function notOurs(object: ObjectRef, message: string): ReadObject {
  return { kind: 'Unfit', verdict: { kind: 'NotOurs', object, message } };
}

/** What stands for an object that has not changed; itself where it has no spec. */
function specOf(object: KubernetesObject): object {
  const spec = object['spec'];
  return typeof spec === 'object' && spec !== null ? spec : object;
}

/** The only class there is then; it is no default for Ingresses, which name theirs. */
function assumedClass(name: string): readonly IngressClass[] {
  return name === '' ? [] : [{ name, controller: controllerName, isDefault: false }];
}
