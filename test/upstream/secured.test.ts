// Upstreams with TLS: on whose terms their endpoints are connected to, and when a connection of before counts no more.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainBackend } from '#model/plain-terms.ts';
import type { Upstream as UpstreamModel } from '#model/route-model.ts';
import type { SecureTransport, ServerTerms, ServerTrust } from '#transport/secure-transport.ts';
import { connectFault } from '#upstream/connect-fault.ts';
import { alone } from '#upstream/surroundings.ts';
import { Upstream } from '#upstream/upstream.ts';
import type { ServedUpstream } from '#upstream/upstream.ts';

/** Says what it was asked to trust. A pem of `broken` is taken by no runtime. */
class Asked {
  readonly terms: ServerTerms[] = [];
  readonly transport: SecureTransport = {
    canReusePort: true,
    listen: () => Promise.reject(new Error('nobody listens here')),
    secure: () => assert.fail('nobody is secured here'),
    createContext: () => assert.fail('no context is made here'),
    releaseContext: () => assert.fail('no context is given back here'),
    connect: () => assert.fail('nobody connects here'),
    createServerTrust: (terms) => {
      this.terms.push(terms);
      if (terms.authorities === 'broken') throw new Error('no certificate');
      return {} as ServerTrust;
    },
  };
}

const verified = (pem: string, serverName = 'backend.test'): UpstreamModel['tls'] => ({
  kind: 'Verified',
  serverName,
  authorities: { kind: 'Pem', pem },
});

function model(wanted: Partial<ServedUpstream> = {}): ServedUpstream {
  return {
    id: 'shop/web:80',
    loadBalancing: 'RoundRobin',
    ...plainBackend,
    endpoints: [{ address: '10.0.0.1', port: 8443, state: 'Ready' }],
    zoneHints: [],
    ...wanted,
  };
}

test('the terms are those of the model, with the protocol that it names', () => {
  const asked = new Asked();
  const upstream = new Upstream(model({ tls: verified('pem') }), { ...alone, secure: asked.transport });
  assert.notEqual(upstream.pick([])?.connector, undefined);
  const system = { kind: 'Verified', serverName: 'h2.test', authorities: { kind: 'System' } } as const;
  assert.ok(
    new Upstream(model({ protocol: 'HTTP/2', tls: system }), { ...alone, secure: asked.transport })
      .hasEndpoints,
  );
  assert.deepEqual(asked.terms, [
    { serverName: 'backend.test', authorities: 'pem', protocols: ['http/1.1'] },
    { serverName: 'h2.test', authorities: undefined, protocols: ['h2'] },
  ]);
});

test('in the clear nothing is asked for', () => {
  const asked = new Asked();
  assert.equal(new Upstream(model(), { ...alone, secure: asked.transport }).pick([])?.connector, undefined);
  assert.deepEqual(asked.terms, []);
});

test('endpoints stay with their terms, and are others with other terms', () => {
  const asked = new Asked();
  const upstream = new Upstream(model(), { ...alone, secure: asked.transport });
  const others: readonly Partial<ServedUpstream>[] = [
    { tls: verified('pem') },
    { tls: verified('other') },
    { tls: verified('other', 'other.test') },
    { tls: verified('other', 'other.test'), protocol: 'HTTP/2' },
    {},
  ];
  for (const wanted of others) {
    const before = upstream.pick([]);
    upstream.update(model(wanted));
    const after = upstream.pick([]);
    assert.notEqual(after, before);
    assert.equal(before?.isRetired, true);
    upstream.update(model({ ...wanted, loadBalancing: 'LeastRequests' }));
    assert.equal(upstream.pick([]), after);
  }
});

test('authorities that the runtime does not take leave no endpoint, until there are others', () => {
  const asked = new Asked();
  const upstream = new Upstream(model({ tls: verified('broken') }), { ...alone, secure: asked.transport });
  assert.equal(upstream.hasEndpoints, false);
  upstream.update(model({ tls: verified('pem') }));
  assert.equal(upstream.hasEndpoints, true);
});

test('without a transport for TLS nobody is connected to in the clear', () => {
  assert.equal(new Upstream(model({ tls: verified('pem') })).hasEndpoints, false);
});

test('why there is no connection', () => {
  const codes = ['ETIMEDOUT', 'ECONNREFUSED', undefined, 'CERTIFICATE_REJECTED', 'HANDSHAKE_FAILED'];
  assert.deepEqual(codes.map(connectFault), [
    'connect-timeout',
    'connect-refused',
    'connect-refused',
    'backend-certificate-rejected',
    'backend-handshake-failed',
  ]);
});
