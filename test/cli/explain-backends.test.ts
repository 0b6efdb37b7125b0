// `flint explain URL`: how the backends of a rule are spoken to, and which of them nobody can be asked.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testAuthorities } from '../translate/test-authorities.ts';
import { flint } from './recording-terminal.ts';

const manifests = `
apiVersion: flint.dev/v1alpha1
kind: IngressRoute
metadata: {name: shop}
spec:
  hostnames: [shop.test]
  rules:
  - backendRefs:
    - {name: web, port: 80}
    - {name: web, port: 443}
    - {name: web, port: 50051}
    - {name: web, port: 50051, tls: {hostname: web.internal, caCertificateRefs: [{name: ca}]}, weight: 5}
    - {name: web, port: 443, tls: {hostname: web.internal, caCertificateRefs: [{name: missing}]}, weight: 2}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  ports:
  - {name: plain, port: 80}
  - {name: secure, port: 443, appProtocol: https}
  - {name: grpc, port: 50051, appProtocol: kubernetes.io/h2c}
---
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: {name: ca}
stringData: {ca.crt: ${JSON.stringify(testAuthorities['private'])}}
`;

test('each way to speak to a backend is named, and a reference that leads nowhere', async () => {
  const { code, stdout } = await flint(['explain', 'http://shop.test/', '-f', '@/m.yaml'], {
    'm.yaml': manifests,
  });
  assert.equal(code, 0);
  assert.deepEqual(stdout.trimEnd().split('\n').slice(3), [
    '10% -> default/web:80: 503: it has no endpoints',
    '10% -> default/web:443 (TLS, verified as web.default.svc): 503: it has no endpoints',
    '10% -> default/web:50051 (HTTP/2): 503: it has no endpoints',
    '50% -> default/web:50051 as web.internal trusting 43e6b473429d8e16 (HTTP/2 over TLS, verified as web.internal): 503: it has no endpoints',
    '20% -> 503: the reference leads nowhere; the status of its object says why',
  ]);
});

test('what a rule does when backends fail is told, and its fallbacks', async () => {
  const resilient = `
apiVersion: flint.dev/v1alpha1
kind: IngressRoute
metadata: {name: shop}
spec:
  hostnames: [shop.test]
  rules:
  - name: basket
    policy:
      maxConcurrentRequests: 9
      loadBalancing: {type: ConsistentHash, consistentHash: {type: Header, name: X-User}}
    retry: {codes: [503]}
    sessionPersistence: {sessionName: basket}
    backendRefs: [{name: web, port: 80}, {name: web, port: 443, fallback: true}, {name: gone, port: 80, fallback: true}]
---${manifests.split('---')[1]}`;
  const { code, stdout } = await flint(['explain', 'http://shop.test/', '-f', '@/m.yaml'], {
    'm.yaml': resilient,
  });
  assert.equal(code, 0);
  const with16 = / with [0-9a-f]{16} /g;
  assert.deepEqual(stdout.trimEnd().replaceAll(with16, ' with DIGEST ').split('\n').slice(3), [
    'at most 9 requests at a time; else 503',
    'to where its session was, by the cookie basket',
    '503 and what takes too long: tried again up to 2 times',
    '100% -> default/web:80 with DIGEST (the same endpoint for the same header x-user): 503: it has no endpoints',
    'if nobody else can serve -> default/web:443 with DIGEST (TLS, verified as web.default.svc; the same endpoint for the same header x-user): 503: it has no endpoints',
  ]);
});
