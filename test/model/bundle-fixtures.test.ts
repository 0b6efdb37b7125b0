// Bundles as released writers wrote them: they decode for ever. A fixture is never rewritten, only added.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decode } from '#model/bundle.ts';
import type { Bundle } from '#model/bundle.ts';
import type { RouteModel } from '#model/route-model.ts';

interface Fixture {
  readonly bundle: Bundle;
  readonly model: unknown;
}

/** The model as that writer knew it, with what has come since: rules without filters. */
function fromSchema1(model: unknown): RouteModel {
  const { settings, hosts, upstreams } = model as RouteModel;
  return {
    settings,
    hosts: hosts.map((host) => ({ ...host, rules: host.rules.map((rule) => ({ ...rule, filters: [] })) })),
    upstreams,
  };
}

test('a bundle of schema 1 decodes to the model that it was made of', () => {
  const file = new URL('fixtures/bundle-schema-1.json', import.meta.url);
  const { bundle, model } = JSON.parse(readFileSync(file, 'utf8')) as Fixture;
  assert.equal(bundle.schema, 1);
  assert.deepEqual(decode(bundle), { kind: 'Decoded', model: fromSchema1(model) });
});
