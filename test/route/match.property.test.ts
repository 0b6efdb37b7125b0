// The compiled table, with its indexes, against the linear reference; and explanations against the table.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { hostKey } from '#model/route-model.ts';
import { explain } from '#route/explain.ts';
import { compile } from '#route/route-table.ts';
import { virtualHosts } from '../model/arbitrary-model.ts';
import { hostname, matchRequest } from './arbitrary-request.ts';
import { referenceMatch } from './reference-matcher.ts';

const runs = { numRuns: 6000 };

test('a compiled table takes the match that the reference takes', () => {
  let taken = 0;
  fc.assert(
    fc.property(virtualHosts, hostname, matchRequest, (hosts, name, request) => {
      const expected = referenceMatch(hosts, name, request);
      const candidate = compile(hosts).findHost(name)?.match(request);
      assert.equal(candidate?.match, expected);
      if (candidate !== undefined) taken++;
    }),
    runs,
  );
  // The alphabets overlap enough for the property to mean something.
  assert.ok(taken > runs.numRuns / 5, `${taken} of ${runs.numRuns} requests found a route`);
});

test('the order of hosts means nothing', () => {
  fc.assert(
    fc.property(virtualHosts, hostname, matchRequest, (hosts, name, request) => {
      const [one, other] = [hosts, hosts.toReversed()].map((each) => compile(each).findHost(name));
      assert.equal(one?.source, other?.source);
      assert.equal(one?.match(request)?.match, other?.match(request)?.match);
    }),
    { numRuns: 1000 },
  );
});

test('an explanation agrees with the match: the first that fits takes, and nothing else does', () => {
  fc.assert(
    fc.property(virtualHosts, hostname, matchRequest, (hosts, name, request) => {
      const host = compile(hosts).findHost(name);
      if (host === undefined) return;
      const opinions = explain(host, request);
      assert.equal(
        opinions.length,
        host.source.rules.flatMap((rule) => rule.matches).length,
        hostKey(host.source.pattern),
      );
      const fitting = opinions.filter(({ opinion }) => opinion.kind !== 'Refuses');
      assert.equal(fitting[0]?.candidate, host.match(request));
      assert.deepEqual(
        fitting.map(({ opinion }) => opinion.kind),
        fitting.map((_, index) => (index === 0 ? 'Takes' : 'Fits')),
      );
    }),
    { numRuns: 3000 },
  );
});
