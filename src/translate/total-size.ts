// A model that grows beyond what a data plane should hold: the youngest objects are refused, and told so.
import type { Problem } from '#api/problem.ts';
import { canonicalJson } from '#model/canonical-json.ts';
import { modelBytes } from '#model/limits.ts';
import type { ServiceIndex } from './service-index.ts';
import { byAge } from './translated-object.ts';
import type { TranslatedObject } from './translated-object.ts';
import { termsBytes } from './upstream-terms.ts';

/** What an endpoint takes in canonical JSON, at most, with the hint of a zone. */
export const endpointBytes = 100;

/** The objects that do not fit any more, oldest first, with what each is told. */
export function tooLarge(
  objects: readonly TranslatedObject[],
  services: ServiceIndex,
  limitBytes: number = modelBytes,
): ReadonlyMap<TranslatedObject, Problem> {
  const refused = new Map<TranslatedObject, Problem>();
  const counted = new Set<string>();
  let sum = 0;
  for (const object of objects.toSorted(byAge)) {
    const own = new Set(object.uses.map(({ id }) => id).filter((id) => !counted.has(id)));
    let bytes = rulesBytes(object);
    for (const id of own) bytes += upstreamBytes(id, services);
    if (sum + bytes > limitBytes) {
      refused.set(object, {
        reason: 'ModelTooLarge',
        at: 'spec',
        message: `it needs ${bytes} bytes, and all older objects together have ${sum} of the ${limitBytes} that are allowed`,
      });
      continue;
    }
    sum += bytes;
    for (const id of own) counted.add(id);
  }
  return refused;
}

function rulesBytes({ hosts }: TranslatedObject): number {
  const sizes = new Map<unknown, number>();
  let sum = 0;
  for (const { rules } of hosts) {
    // The hosts of a route share their rules.
    const known = sizes.get(rules) ?? Buffer.byteLength(canonicalJson(rules.map(({ rule }) => rule)));
    sizes.set(rules, known);
    sum += known;
  }
  return sum;
}

function upstreamBytes(id: string, services: ServiceIndex): number {
  const upstream = services.upstream(id)?.upstream;
  const terms = upstream === undefined ? 0 : termsBytes(upstream);
  return 2 * id.length + terms + endpointBytes * (upstream?.endpoints.length ?? 0);
}
