// Whether an IngressRoute is ours to serve, by its IngressClass.
import { controllerName } from '#api/ingress-class.ts';
import type { IngressClass } from '#api/ingress-class.ts';

/**
 * Undefined when the route is ours, else why it is not. A route without a class belongs to the default among the
 * classes of this controller, else to the only one; another controller's default class never hides a route of ours.
 */
export function whyNotOurs(
  className: string | undefined,
  classes: readonly IngressClass[],
): string | undefined {
  const ours = classes.filter((each) => each.controller === controllerName);
  if (className !== undefined) {
    if (ours.some((each) => each.name === className)) return undefined;
    return `its class "${className}" is not one of controller ${controllerName}`;
  }
  if (ours.length === 1 || ours.some((each) => each.isDefault)) return undefined;
  return ours.length === 0
    ? `it names no class, and controller ${controllerName} has none`
    : `it names no class, and none of the ${ours.length} classes of controller ${controllerName} is the default`;
}
