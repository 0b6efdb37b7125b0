// What the laws speak of happens in generated clusters: a law about something that never occurs would say nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Problem } from '#api/problem.ts';
import { upstreamPolicyOrder } from '#model/upstream-policies.ts';
import { translate } from '#translate/translate.ts';
import type { Translation } from '#translate/translation.ts';
import { clusterView, translateSettings } from './arbitrary-view.ts';

const views = fc.sample(fc.tuple(clusterView, translateSettings), { numRuns: 300, seed: 1 });
const translations = views.map(([view, settings]) => translate(view, settings));

function isOften(holds: (translation: Translation) => boolean): void {
  const count = translations.filter(holds).length;
  assert.ok(count >= 6, `only in ${count} of ${translations.length}`);
}

for (const word of ['Accepted', 'Rejected', 'NotOurs'])
  for (const kind of ['IngressRoute', 'Ingress'])
    test(`${word}: ${kind}`, () =>
      isOften(({ verdicts }) => verdicts.some((each) => each.kind === word && each.object.kind === kind)));

const reasons: readonly Problem['reason'][] = [
  'Invalid',
  'HostnameConflict',
  'RouteConflict',
  'PathPolicyConflict',
  'BackendNotFound',
  'PortNotFound',
  'EndpointsUnusable',
  'SecretNotFound',
  'SecretInvalid',
  'CertificatePending',
];

for (const reason of reasons)
  test(reason, () =>
    isOften(({ verdicts }) =>
      verdicts.some(
        (verdict) => verdict.kind !== 'NotOurs' && verdict.problems.some((each) => each.reason === reason),
      ),
    ),
  );

test('certificates', () => isOften(({ model }) => model.certificates.length > 0));
test('requests for certificates', () => isOften(({ certificateRequests }) => certificateRequests.length > 0));
test('backends with TLS, on the terms of a route and of a Service', () => {
  for (const isSaid of [true, false])
    isOften(({ model }) =>
      model.upstreams.some(({ id, tls }) => tls.kind === 'Verified' && id.includes(' ') === isSaid),
    );
});
test('backends of HTTP/2', () =>
  isOften(({ model }) => model.upstreams.some(({ protocol }) => protocol === 'HTTP/2')));
test('policies of upstreams, each of them', () => {
  for (const policy of upstreamPolicyOrder)
    isOften(({ model }) =>
      model.upstreams.some(({ policies }) => policies.some(({ kind }) => kind === policy)),
    );
});
test('retries, sessions with a key, and limits', () => {
  for (const filter of ['Retry', 'SessionPersistence', 'ConcurrentRequests'])
    isOften(({ model }) =>
      model.hosts.some(({ rules }) =>
        rules.some(({ filters }) => filters.some(({ kind }) => kind === filter)),
      ),
    );
  isOften(({ model }) => model.keys.length > 0);
  isOften(({ model }) => model.keys.length === 0 && model.hosts.length > 0);
});
test('fallbacks', () =>
  isOften(({ model }) =>
    model.hosts.some(({ rules }) =>
      rules.some(({ backends }) => backends.some(({ kind }) => kind === 'Fallback')),
    ),
  ));
test('DNS names', () =>
  isOften(({ model }) => model.upstreams.some(({ discovery }) => discovery.kind === 'Dns')));
test('hints of zones', () => isOften(({ model }) => model.zones.length > 0));
test('default backends', () => isOften(({ model }) => model.settings.fallback.kind === 'Rule'));
test('problems of the settings', () => isOften(({ problems }) => problems.length > 0));
