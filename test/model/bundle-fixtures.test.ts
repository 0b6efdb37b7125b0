// Bundles as released writers wrote them: they decode for ever. A fixture is never rewritten, only added.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Bundle } from '#model/bundle.ts';
import { decode } from '#model/bundle-reader.ts';
import type { RouteModel } from '#model/route-model.ts';
import { schemaNumbers } from '#model/route-model-schema.ts';
import { revealed } from './revealed.ts';

interface Fixture {
  readonly bundle: Bundle;
  /** The model as that writer knew it, keys as plain text. */
  readonly model: unknown;
}

/** What has come with schema 2: filters. */
function withSchema2(model: unknown): unknown {
  const { hosts, ...rest } = model as RouteModel;
  return {
    ...rest,
    hosts: hosts.map((host) => ({ ...host, rules: host.rules.map((rule) => ({ ...rule, filters: [] })) })),
  };
}

/** What has come with schema 3. */
function withSchema3(model: unknown): unknown {
  const { settings, hosts, upstreams } = model as RouteModel;
  return {
    settings: { ...settings, fallback: { kind: 'NotFound' } },
    zones: [],
    hosts: hosts.map((host) => ({ ...host, certificates: [], plaintext: 'Serve' })),
    upstreams: upstreams.map((each) => ({ ...each, discovery: { kind: 'Endpoints' }, zoneHints: [] })),
    certificates: [],
  };
}

/** What has come with schema 4. */
function withSchema4(model: unknown): unknown {
  const { settings, hosts, upstreams, ...rest } = model as RouteModel;
  return {
    ...rest,
    settings: { ...settings, defaultCertificate: { kind: 'None' } },
    hosts: hosts.map((host) => ({
      ...host,
      tlsMode: 'Terminate',
      minTlsVersion: '1.2',
      strictTransport: { kind: 'Unsaid' },
      clientValidation: { kind: 'None' },
    })),
    upstreams: upstreams.map((each) => ({ ...each, protocol: 'HTTP/1.1', tls: { kind: 'None' } })),
  };
}

/** What has come with schema 5. */
function withSchema5(model: unknown): unknown {
  const { settings, upstreams, ...rest } = model as RouteModel;
  const outlierEjection = {
    consecutive5xx: 0,
    connectFailures: 3,
    baseEjectionMs: 5000,
    maxEjectionMs: 60_000,
  };
  return {
    ...rest,
    settings: { ...settings, outlierEjection },
    upstreams: upstreams.map((each) => ({ ...each, policies: [] })),
    keys: [],
  };
}

/** By schema: the model that its fixture stands for now. */
const present: Readonly<Record<number, (model: unknown) => unknown>> = {
  1: (model) => withSchema5(withSchema4(withSchema3(withSchema2(model)))),
  2: (model) => withSchema5(withSchema4(withSchema3(model))),
  3: (model) => withSchema5(withSchema4(model)),
  4: withSchema5,
  5: (model) => model,
};

for (const schema of schemaNumbers)
  test(`a bundle of schema ${schema} decodes to the model that it was made of`, () => {
    const file = new URL(`fixtures/bundle-schema-${schema}.json`, import.meta.url);
    const { bundle, model } = JSON.parse(readFileSync(file, 'utf8')) as Fixture;
    assert.equal(bundle.schema, schema);
    const decoded = decode(bundle);
    assert.ok(decoded.kind === 'Decoded');
    assert.deepEqual(revealed(decoded.model), present[schema]?.(model));
  });
