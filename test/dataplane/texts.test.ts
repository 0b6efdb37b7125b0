// Short texts: whatever a host or an upstream says, its text says the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readHost, writeHost } from '#dataplane/host-text.ts';
import { readUpstream, writeUpstream } from '#dataplane/upstream-text.ts';
import { hostKey } from '#model/route-model.ts';
import { routeModel, virtualHost } from '../model/arbitrary-model.ts';

test('a host reads as it was written', () => {
  fc.assert(
    fc.property(virtualHost, (host) => {
      assert.deepEqual(readHost(hostKey(host.pattern), writeHost(host)), host);
    }),
    { numRuns: 1000 },
  );
});

test('an upstream reads as it was written, as far as a thread needs it', () => {
  fc.assert(
    fc.property(routeModel, ({ upstreams }) => {
      for (const upstream of upstreams) {
        const { discovery, ...rest } = upstream;
        const isNamed = discovery.kind === 'Dns';
        assert.deepEqual(readUpstream(rest.id, writeUpstream(upstream)), { ...rest, isNamed });
      }
    }),
    { numRuns: 300 },
  );
});

test('texts are short: a third of the JSON of a host, half of that of an upstream', () => {
  const host = fc.sample(virtualHost, { numRuns: 100, seed: 1 });
  const lengths = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + text.length, 0);
  assert.ok(lengths(host.map(writeHost)) < lengths(host.map((each) => JSON.stringify(each))) / 2);
});
