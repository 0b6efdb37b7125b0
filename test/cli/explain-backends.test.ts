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
