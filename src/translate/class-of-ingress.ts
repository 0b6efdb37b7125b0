// Whether an Ingress is ours to serve: by its IngressClass, or because it answers a challenge of cert-manager.
import type { Ingress, IngressPath } from '#api/ingress.ts';
import { controllerName } from '#api/ingress-class.ts';
import type { IngressClass } from '#api/ingress-class.ts';
import { isChallenge } from '#model/request-path.ts';

/**
 * Undefined when the Ingress is ours, else why it is not. The field wins over the annotation. An Ingress that names no
 * class belongs to the cluster's default class: unlike an IngressRoute, any controller may serve it, so ours must not
 * where another controller's class is a default too.
 */
export function whyIngressNotOurs(ingress: Ingress, classes: readonly IngressClass[]): string | undefined {
  const className = classNameOf(ingress);
  if (className !== undefined) {
    if (classes.some((each) => each.name === className && isOurs(each))) return undefined;
    return `its class "${className}" is not one of controller ${controllerName}`;
  }
  if (isSolver(ingress)) return undefined;
  const defaults = classes.filter((each) => each.isDefault);
  const foreign = defaults.find((each) => !isOurs(each));
  if (defaults.length === 0) return 'it names no class, and no IngressClass is the default';
  if (foreign === undefined) return undefined;
  return defaults.some(isOurs)
    ? `it names no class, and IngressClass "${foreign.name}" of controller ${foreign.controller} is a default as well`
    : `it names no class, and the default is IngressClass "${foreign.name}" of controller ${foreign.controller}`;
}

/** Undefined for an Ingress that names none. An empty annotation is none. */
export function classNameOf(ingress: Ingress): string | undefined {
  return ingress.ingressClassName ?? (ingress.classAnnotation === '' ? undefined : ingress.classAnnotation);
}

/** An Ingress that answers HTTP-01 challenges and does nothing else: a label alone opens no door. */
export function isSolver({ hasSolverLabel, rules, defaultBackend, tls, problems }: Ingress): boolean {
  return (
    hasSolverLabel &&
    defaultBackend === undefined &&
    tls.length === 0 &&
    problems.length === 0 &&
    rules.length > 0 &&
    rules.every(({ paths }) => paths.length === 1 && paths.every(isChallengePath))
  );
}

/** Of one token and nothing below it. */
function isChallengePath({ type, path }: IngressPath): boolean {
  return type !== 'Prefix' && isChallenge(path);
}

function isOurs(ingressClass: IngressClass): boolean {
  return ingressClass.controller === controllerName;
}
