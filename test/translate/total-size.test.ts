// What goes beyond the total limit: the youngest are refused, and the others do not notice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIngressRoute } from '#api/ingress-route.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { modelBytes } from '#model/limits.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import { translateIngressRoute } from '#translate/ingress-route.ts';
import { ServiceIndex } from '#translate/service-index.ts';
import { tooLarge } from '#translate/total-size.ts';
import type { TranslatedObject } from '#translate/translated-object.ts';
import { Translator } from '#translate/translator.ts';
import type { Translation } from '#translate/translation.ts';
import { longestAddresses, route, service, slice, viewOf } from './shop-objects.ts';

const endpoints = 50;
const services = new ServiceIndex(defaultTranslateSettings);
services.update([service], [slice(1, longestAddresses(endpoints))], new Set());

/** `headers` says how large it is; the longer its name, the younger. */
function routeOf(name: string, headers: number): KubernetesObject {
  return route(
    name,
    [`${name}.test`],
    [
      {
        headers: Array.from({ length: headers }, (_, index) => ({
          name: `h${index}`,
          value: 'x'.repeat(100),
        })),
      },
    ],
  );
}

function read(object: KubernetesObject): TranslatedObject {
  const parsed = parseIngressRoute(object);
  assert.equal(parsed.kind, 'Parsed');
  return translateIngressRoute(parsed.value, {
    service: (key) => services.service(key),
    authority: () => ({ kind: 'Missing' }),
    allowsExternalNames: false,
  });
}

function refusedOf(objects: readonly TranslatedObject[], limitBytes: number): readonly string[] {
  return [...tooLarge(objects, services, limitBytes).keys()].map(({ ref }) => ref.name);
}

/** The least limit at which nothing is refused. */
function leastFor(objects: readonly TranslatedObject[]): number {
  let limit = 0;
  for (let step = 65_536; step >= 1; step /= 2)
    while (refusedOf(objects, limit + step - 1).length > 0) limit += step;
  return limit;
}

const [a, bb, ccc, dddd] = ['a', 'bb', 'ccc', 'dddd'].map((name) => read(routeOf(name, 1)));
assert.ok(a !== undefined && bb !== undefined && ccc !== undefined && dddd !== undefined);

test('the oldest stay, in whatever order they come', () => {
  const objects = [a, bb, ccc, dddd];
  assert.deepEqual(refusedOf(objects, leastFor([a, bb])), ['ccc', 'dddd']);
  assert.deepEqual(refusedOf(objects.toReversed(), leastFor([a, bb])), ['ccc', 'dddd']);
  assert.deepEqual(refusedOf(objects, leastFor(objects)), []);
  assert.deepEqual(refusedOf(objects, leastFor(objects) - 1), ['dddd']);
});

test('the limit itself is far away', () => {
  assert.deepEqual(refusedOf([a, bb, ccc, dddd], modelBytes), []);
});

test('endpoints count, once for all who use them', () => {
  const bytesOfTheSecond = leastFor([a, bb]) - leastFor([a]);
  assert.ok(leastFor([a]) - bytesOfTheSecond >= endpoints * 88);
  // Each has a name that is one character longer.
  assert.equal(leastFor([a, bb, ccc, dddd]), leastFor([a]) + 3 * bytesOfTheSecond + 1 + 2);
});

test('an object that refers to one Service many times pays for it once', () => {
  const one = routeOf('a', 1);
  const { rules } = one['spec'] as { readonly rules: readonly { readonly matches: object }[] };
  const twice = { ...one, spec: { ...(one['spec'] as object), rules: [...rules, ...rules] } };
  const bytesOfTheSecond = leastFor([a, bb]) - leastFor([a]);
  // Its second rule costs no more than that of another object.
  assert.ok(leastFor([read(twice)]) <= leastFor([a]) + bytesOfTheSecond);
});

test('what is too large makes no room of its own: a younger one that fits is served', () => {
  const large = read(routeOf('large', 16));
  const young = read(routeOf('youngest', 1));
  const limit = leastFor([a, bb, young]);
  const refused = tooLarge([a, large, bb, young], services, limit);
  assert.deepEqual(
    [...refused].map(([{ ref }, { reason, at }]) => `${ref.name}: ${reason} ${at}`),
    ['large: ModelTooLarge spec'],
  );
  assert.match(
    [...refused.values()][0]?.message ?? '',
    new RegExp(
      `^it needs \\d+ bytes, and all older objects together have \\d+ of the ${limit} that are allowed$`,
    ),
  );
});

test('hosts that share their rules count each, since each travels with them', () => {
  const both = read({
    ...routeOf('a', 1),
    spec: { ...(routeOf('a', 1)['spec'] as object), hostnames: ['a.test', 'b.test'] },
  });
  const bytesOfTheSecond = leastFor([a, bb]) - leastFor([a]);
  assert.equal(leastFor([both]), leastFor([a]) + bytesOfTheSecond - 1);
});

test('a whole cluster: the youngest is told, and is back when there is room', () => {
  const hostnames = (name: string) => Array.from({ length: 16 }, (_, index) => `${name}-${index}.test`);
  const matches = Array.from({ length: 64 }, (_, index) => ({
    path: { value: `/${index}` },
    headers: Array.from({ length: 16 }, (__, header) => ({ name: `h${header}`, value: 'x'.repeat(800) })),
  }));
  const routes = Array.from({ length: 10 }, (_, index) =>
    route('r'.repeat(index + 1), hostnames(`r${index}`), matches),
  );
  const translator = new Translator(defaultTranslateSettings);
  const told = ({ verdicts }: Translation) =>
    verdicts.flatMap((verdict) =>
      verdict.kind === 'Rejected'
        ? verdict.problems.map(({ reason }) => `${verdict.object.name} ${reason}`)
        : [],
    );
  const all = viewOf([...routes, service]);
  const full = translator.translate(all);
  assert.deepEqual(
    told(full),
    ['r'.repeat(10)].map((name) => `${name} ModelTooLarge`),
  );
  assert.equal(full.verdicts.length, routes.length);
  assert.ok(!full.claims.has('r9-0.test'));
  const fewer = translator.translate({
    ...all,
    ingressRoutes: all.ingressRoutes.slice(1),
    claims: full.claims,
  });
  assert.deepEqual(told(fewer), []);
  assert.ok(fewer.claims.has('r9-0.test'));
  const again = translator.translate({ ...all, claims: fewer.claims });
  assert.deepEqual(told(again), told(full));
});

test('an object that wants a large Service on very many terms is refused before its endpoints are anywhere', () => {
  const addresses = longestAddresses(10_000);
  const slices = Array.from({ length: 10 }, (_, index) =>
    slice(index, addresses.slice(index * 1000, index * 1000 + 1000)),
  );
  const greedy = (name: string): KubernetesObject => ({
    ...route(name, [`${name}.test`], []),
    spec: {
      hostnames: [`${name}.test`],
      rules: Array.from({ length: 64 }, (_, index) => ({
        matches: [{ path: { value: `/${index}` } }],
        policy: { circuitBreaker: { maxConnections: name.length * 100 + index } },
        backendRefs: [{ name: 'web', port: 80 }],
      })),
    },
  });
  const routes = ['a', 'bb', 'ccc'].map(greedy);
  const translator = new Translator(defaultTranslateSettings);
  const { model, verdicts } = translator.translate(viewOf([...routes, service, ...slices]));
  assert.deepEqual(
    verdicts.map(({ kind, object }) => `${object.name} ${kind}`),
    ['a Accepted', 'bb Accepted', 'ccc Rejected'],
  );
  // On whatever terms, they are one list.
  assert.equal(model.upstreams.length, 128);
  assert.equal(new Set(model.upstreams.map(({ endpoints: list }) => list)).size, 1);
});
