// What readers of an older schema are told: they can read it, they route as everyone does, and what they would get wrong
// they answer with 503.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { defaultSettings } from '#model/default-settings.ts';
import { encode } from '#model/bundle.ts';
import { decode } from '#model/bundle-reader.ts';
import { plainBackend, plainTls } from '#model/plain-terms.ts';
import { hostKey } from '#model/route-model.ts';
import type { Match, RouteModel, Rule, RuleRef, VirtualHost } from '#model/route-model.ts';
import { chunkValidators, newestSchema, schemaNumbers } from '#model/route-model-schema.ts';
import { fitToSchema } from '#model/schema-fit.ts';
import { hostname, matchRequest } from '../route/arbitrary-request.ts';
import { referenceMatch } from '../route/reference-matcher.ts';
import { routeModel } from './arbitrary-model.ts';
import { asWritten } from './as-written.ts';
import { exactHost, modelOf, upstream } from './large-model.ts';
import { certificateOf, variedModel } from './varied-model.ts';

const older = schemaNumbers.filter((schema) => schema < newestSchema);
const runs = { numRuns: 500 };
const unavailable: Rule['backends'] = [{ kind: 'Unresolved', status: 503, weight: 1 }];

/** What a reader of that schema makes of the model. */
function readBy(schema: number, model: RouteModel): RouteModel {
  const decoded = decode(encode(fitToSchema(model, schema).model, schema));
  assert.ok(decoded.kind === 'Decoded', JSON.stringify(decoded));
  return decoded.model;
}

function isLookedUp(model: RouteModel, { backends }: Rule): boolean {
  return backends.some(
    (backend) =>
      backend.kind !== 'Unresolved' &&
      model.upstreams.find(({ id }) => id === backend.upstream)?.discovery.kind === 'Dns',
  );
}

function hasTls({ certificates, plaintext }: VirtualHost): boolean {
  return certificates.length > 0 || plaintext !== 'Serve';
}

/** As old readers do it, or without them. */
function isWeakened({ tlsMode, minTlsVersion, clientValidation }: VirtualHost): boolean {
  return tlsMode === 'Passthrough' || minTlsVersion === '1.3' || clientValidation.kind === 'Asked';
}

/** Old readers let in whoever comes in the clear, or says that a proxy ended TLS, and let clients say who they are. */
function isClosed({ clientValidation }: VirtualHost): boolean {
  return clientValidation.kind === 'Asked';
}

function isMisread(schema: number, model: RouteModel, { filters, backends }: Rule): boolean {
  if (schema >= 4) return false;
  const isSpokenToOtherwise = backends.some((backend) => {
    if (backend.kind === 'Unresolved') return false;
    const target = model.upstreams.find(({ id }) => id === backend.upstream);
    return target?.protocol === 'HTTP/2' || target?.tls.kind === 'Verified';
  });
  return isSpokenToOtherwise || (schema === 1 && filters.some(({ kind }) => !isLater(kind)));
}

/** What only readers of schema 5 can be told. */
function isLater(kind: string): boolean {
  return ['ConcurrentRequests', 'SessionPersistence', 'Retry', 'Fallback'].includes(kind);
}

/** The rest of a rule is served as it is. */
function reduced<T extends Pick<Rule, 'filters' | 'backends'>>(rule: T): T {
  const isEarlier = ({ kind }: { readonly kind: string }): boolean => !isLater(kind);
  return { ...rule, filters: rule.filters.filter(isEarlier), backends: rule.backends.filter(isEarlier) };
}

function isReduced(model: RouteModel, { filters, backends }: Rule): boolean {
  return (
    [...filters, ...backends].some(({ kind }) => isLater(kind)) ||
    backends.some(
      (backend) =>
        backend.kind !== 'Unresolved' &&
        model.upstreams.some(({ id, policies }) => id === backend.upstream && policies.length > 0),
    )
  );
}

/** The model as its readers should see it, said without fitToSchema. */
function expected(schema: number, model: RouteModel): unknown {
  const fit = (rule: Rule, host?: VirtualHost): Rule => ({
    ...reduced(rule),
    ...(schema < 3 ? { ref: { ...rule.ref, kind: 'IngressRoute' as const } } : {}),
    ...(isMisread(schema, model, rule) || (schema < 4 && host !== undefined && isClosed(host))
      ? { filters: [], backends: unavailable }
      : {}),
  });
  const { fallback } = model.settings;
  const [noFallback, noTls] = [{ kind: 'NotFound' }, { certificates: [], plaintext: 'Serve' }];
  const fitFallback = fallback.kind === 'Rule' ? { ...fallback, rule: fit(fallback.rule) } : fallback;
  return {
    settings: {
      ...model.settings,
      fallback: schema < 3 ? noFallback : fitFallback,
      defaultCertificate: schema < 4 ? { kind: 'None' } : model.settings.defaultCertificate,
      outlierEjection: defaultSettings.outlierEjection,
    },
    zones: schema < 3 ? [] : model.zones,
    hosts: model.hosts.map((host) => ({
      ...host,
      ...(schema < 4 && isWeakened(host) ? { certificates: [] } : {}),
      ...(schema < 3 ? noTls : {}),
      ...(schema < 4 ? plainTls : {}),
      rules: host.rules.map((rule) => fit(rule, host)),
    })),
    upstreams: model.upstreams.map((each) => ({
      ...each,
      ...(schema < 4 ? plainBackend : { policies: [] }),
      ...(schema < 3 ? { discovery: { kind: 'Endpoints' }, zoneHints: [] } : {}),
    })),
    certificates: schema < 3 ? [] : model.certificates,
    keys: [],
  };
}

for (const schema of older) {
  test(`readers of schema ${schema} take what fits them, and see every rule`, () => {
    fc.assert(
      fc.property(routeModel, (model) => {
        assert.deepEqual(readBy(schema, model), expected(schema, model));
      }),
      runs,
    );
  });

  test(`a build whose newest schema is ${schema} finds its own words alone in what it knows of a model`, () => {
    fc.assert(
      fc.property(routeModel, (model) => {
        for (const [kind, content] of Object.entries(asWritten(model, schema)))
          assert.ok(chunkValidators.get(schema)?.get(kind)?.(content), kind);
      }),
      runs,
    );
  });

  test(`what schema ${schema} holds back is named, and nothing else`, () => {
    const nameOf = ({ kind, namespace, name }: RuleRef): string => `${kind} ${namespace}/${name}`;
    fc.assert(
      fc.property(routeModel, (model) => {
        const wanted = new Set<string>();
        for (const host of model.hosts)
          for (const rule of host.rules)
            if (
              (schema < 4 && isWeakened(host)) ||
              isMisread(schema, model, rule) ||
              isReduced(model, rule) ||
              (schema < 3 && (hasTls(host) || isLookedUp(model, rule)))
            )
              wanted.add(nameOf(rule.ref));
        const held = fitToSchema(model, schema).heldBack.map(nameOf);
        assert.equal(new Set(held).size, held.length);
        assert.deepEqual(held.toSorted(), [...wanted].sort());
      }),
      runs,
    );
  });

  test(`in schema ${schema} a request meets the same rule, which acts as it did or answers 503`, () => {
    fc.assert(
      fc.property(routeModel, hostname, matchRequest, (model, name, request) => {
        const read = readBy(schema, model);
        const match = referenceMatch(model.hosts, name, request);
        const place = placeOf(model.hosts, match);
        assert.deepEqual(placeOf(read.hosts, referenceMatch(read.hosts, name, request)), place);
        if (place === undefined) return;
        const [was, is] = [ruleAt(model.hosts, place), ruleAt(read.hosts, place)];
        assert.deepEqual(is.matches, was.matches);
        assert.deepEqual(is.timeouts, was.timeouts);
        const host = model.hosts.find(({ pattern }) => hostKey(pattern) === place.host);
        const { filters, backends } = reduced(was);
        if (isMisread(schema, model, was) || (schema < 4 && isClosed(host!)))
          assert.deepEqual([is.filters, is.backends], [[], unavailable]);
        else assert.deepEqual([is.filters, is.backends], [filters, backends]);
        // What has to be looked up has no endpoint to go to, where that is not known.
        for (const backend of is.backends)
          if (backend.kind !== 'Unresolved') {
            const byId = ({ id }: { readonly id: string }): boolean => id === backend.upstream;
            assert.deepEqual(read.upstreams.find(byId)?.endpoints, model.upstreams.find(byId)?.endpoints);
          }
      }),
      { numRuns: 1000 },
    );
  });
}

interface Place {
  readonly host: string;
  readonly rule: number;
  readonly match: number;
}

/** Where in its hosts a match stands, by identity. */
function placeOf(hosts: readonly VirtualHost[], match: Match | undefined): Place | undefined {
  if (match === undefined) return undefined;
  for (const { pattern, rules } of hosts)
    for (const [rule, { matches }] of rules.entries())
      if (matches.includes(match)) return { host: hostKey(pattern), rule, match: matches.indexOf(match) };
  return assert.fail('a match of no rule');
}

function ruleAt(hosts: readonly VirtualHost[], { host, rule }: Place): Rule {
  const found = hosts.find(({ pattern }) => hostKey(pattern) === host)?.rules[rule];
  assert.ok(found !== undefined);
  return found;
}

test('the newest schema holds back nothing and changes nothing', () => {
  fc.assert(
    fc.property(routeModel, (model) => {
      const fitted = fitToSchema(model, newestSchema);
      assert.equal(fitted.model, model);
      assert.deepEqual(fitted.heldBack, []);
    }),
    { numRuns: 20 },
  );
});

test('a redirect becomes a 503 in schema 1, with its matches, above the wider rule of the same host', () => {
  const wide = exactHost('a.test', 'x/s:80');
  const [rule] = wide.rules;
  const narrow: Rule = {
    ...rule!,
    ref: { ...rule!.ref, name: 'narrow' },
    matches: [{ ...rule!.matches[0]!, path: { kind: 'PathPrefix', value: '/old' } }],
    filters: [{ kind: 'DirectResponse', status: 410, contentType: 'text/plain', body: '' }],
    backends: [],
  };
  const model = modelOf([{ ...wide, rules: [narrow, rule!] }], [upstream('x/s:80', 1)]);
  const [first, second] = readBy(1, model).hosts[0]!.rules;
  assert.deepEqual([first?.matches, first?.filters, first?.backends], [narrow.matches, [], unavailable]);
  assert.deepEqual(second, rule);
  assert.deepEqual(fitToSchema(model, 1).heldBack, [narrow.ref]);
  assert.deepEqual(readBy(2, model).hosts[0]?.rules[0], narrow);
  assert.deepEqual(fitToSchema(model, 2).heldBack, []);
});

test('no key reaches readers that have no use for it', () => {
  for (const schema of [1, 2]) assert.deepEqual(fitToSchema(variedModel(), schema).model.certificates, []);
  for (const schema of older) {
    const { chunks } = encode(fitToSchema(variedModel(), schema).model, schema);
    assert.ok(!chunks.some(({ kind }) => kind === 'keys'));
  }
});

test('a host that old readers would serve without what it demands has no certificate there, and is not seen in the clear', () => {
  const host: VirtualHost = {
    ...exactHost('a.test', 'x/s:80'),
    certificates: ['x/c'],
    plaintext: 'Redirect',
  };
  const demands: readonly Partial<VirtualHost>[] = [
    { minTlsVersion: '1.3' },
    { clientValidation: { kind: 'Asked', mode: 'AllowInsecureFallback', authorities: '' } },
    { tlsMode: 'Passthrough' },
  ];
  for (const demand of demands) {
    const model = {
      ...modelOf([{ ...host, ...demand }], [upstream('x/s:80', 1)]),
      certificates: [certificateOf('x/c')],
    };
    const { heldBack } = fitToSchema(model, 3);
    assert.deepEqual(heldBack, [host.rules[0]?.ref]);
    const [read] = readBy(3, model).hosts;
    assert.deepEqual([read?.certificates, read?.plaintext], [[], 'Redirect']);
  }
});

test('a host that asks clients for certificates answers 503 to those of old readers, who would not ask', () => {
  for (const mode of ['AllowValidOnly', 'AllowInsecureFallback'] as const)
    for (const schema of older.filter((number) => number < 4)) {
      const host: VirtualHost = {
        ...exactHost('a.test', 'x/s:80'),
        clientValidation: { kind: 'Asked', mode, authorities: '' },
      };
      const model = modelOf([host], [upstream('x/s:80', 1)]);
      assert.deepEqual(readBy(schema, model).hosts[0]?.rules[0]?.backends, unavailable);
      assert.deepEqual(fitToSchema(model, schema).heldBack, [host.rules[0]?.ref]);
    }
});

test('what a host says of Strict-Transport-Security holds nothing back', () => {
  const host: VirtualHost = {
    ...exactHost('a.test', 'x/s:80'),
    strictTransport: { kind: 'Said', maxAgeSeconds: 60, includeSubdomains: false, preload: false },
  };
  assert.deepEqual(fitToSchema(modelOf([host], [upstream('x/s:80', 1)]), 3).heldBack, []);
});

test('a rule whose backends are spoken to otherwise becomes a 503 for old readers', () => {
  const model = modelOf([exactHost('a.test', 'x/s:80')], [{ ...upstream('x/s:80', 1), protocol: 'HTTP/2' }]);
  assert.deepEqual(readBy(3, model).hosts[0]?.rules[0]?.backends, unavailable);
  assert.deepEqual(fitToSchema(model, 3).heldBack, [model.hosts[0]?.rules[0]?.ref]);
});

test('a rule that asks for more than old readers can do is served without it, and its object is held back', () => {
  const host = exactHost('a.test', 'x/s:80');
  const [rule] = host.rules;
  const retry = { kind: 'Retry', attempts: 2, codes: [503], backoffMs: 25 } as const;
  const spare = { kind: 'Fallback', upstream: 'x/t:80', weight: 1 } as const;
  const policies = [{ kind: 'SlowStart', windowMs: 1000 }] as const;
  const plain = [upstream('x/s:80', 1), upstream('x/t:80', 1)];
  const models = [
    modelOf([{ ...host, rules: [{ ...rule!, filters: [retry] }] }], plain),
    modelOf([{ ...host, rules: [{ ...rule!, backends: [...rule!.backends, spare] }] }], plain),
    modelOf([host], [{ ...plain[0]!, policies }, plain[1]!]),
  ];
  for (const model of models)
    for (const schema of older) {
      assert.deepEqual(readBy(schema, model), readBy(schema, modelOf([host], plain)));
      assert.deepEqual(fitToSchema(model, schema).heldBack, [rule?.ref]);
    }
});

test('which endpoints of a zone are wanted can be said to old readers: it holds nothing back', () => {
  const zoneHints = [{ zone: 'a', endpoints: [0] }];
  const model = modelOf([exactHost('a.test', 'x/s:80')], [{ ...upstream('x/s:80', 1), zoneHints }]);
  assert.deepEqual(fitToSchema(model, 4).heldBack, []);
});
