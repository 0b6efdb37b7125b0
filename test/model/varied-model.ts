// One small model with something of every kind of chunk and of every variant that came with schemas 3 and 4.
import type { BackendTls, Certificate, RouteModel, Rule, Upstream } from '#model/route-model.ts';
import { SecretText } from '#model/secret-text.ts';
import { exactHost, largeModel, upstream } from './large-model.ts';

/** No key of any use: what stands in its place is easy to find wherever it should not be. */
export const keyText =
  '-----BEGIN PRIVATE KEY-----\nVisibleKeyVisibleKeyVisibleKey\n-----END PRIVATE KEY-----\n';

export function certificateOf(id: string, key = keyText): Certificate {
  return {
    id,
    chain: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
    key: new SecretText(key),
    dnsNames: ['host-1.example.com', '*.example.com'],
    notAfter: '2027-01-01T00:00:00Z',
    fingerprint: '0123456789abcdef'.repeat(4),
  };
}

const authoritiesText = '-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n';

const varied: readonly BackendTls[] = [
  { kind: 'None' },
  { kind: 'Verified', serverName: 'backend.example.com', authorities: { kind: 'System' } },
  {
    kind: 'Verified',
    serverName: 'backend.example.com',
    authorities: { kind: 'Pem', pem: authoritiesText },
  },
];

const variedPolicies: readonly Upstream['policies'][] = [
  [
    { kind: 'ConsistentHash', source: 'Cookie', name: 'user' },
    { kind: 'SlowStart', windowMs: 30_000 },
    {
      kind: 'HealthCheck',
      probe: { kind: 'Http', path: '/healthz', hostname: 'service-0.x.svc', statuses: [200, 204] },
      intervalMs: 10_000,
      timeoutMs: 1000,
      healthyThreshold: 1,
      unhealthyThreshold: 3,
    },
    {
      kind: 'OutlierEjection',
      consecutive5xx: 5,
      connectFailures: 3,
      baseEjectionMs: 5000,
      maxEjectionMs: 60_000,
    },
    {
      kind: 'CircuitBreaker',
      connections: 100,
      pendingRequests: 1024,
      activeRequests: 0,
      endpointConnections: 10,
      endpointActiveRequests: 0,
    },
  ],
  [
    {
      kind: 'HealthCheck',
      probe: { kind: 'Grpc', service: 'shop.v1.Shop' },
      intervalMs: 10_000,
      timeoutMs: 1000,
      healthyThreshold: 2,
      unhealthyThreshold: 3,
    },
  ],
  [],
];

export function variedModel(): RouteModel {
  const { settings, hosts, upstreams } = largeModel(3);
  const [first, ...others] = hosts;
  const fallback: Rule = {
    ...exactHost('any', 'x/service-2:80').rules[0]!,
    ref: { kind: 'Setting', namespace: 'flint', name: 'fallback', rule: 'rules[0]' },
  };
  return {
    settings: {
      ...settings,
      fallback: { kind: 'Rule', rule: fallback },
      defaultCertificate: { kind: 'Certificate', certificate: 'x/certificate-2' },
    },
    zones: [
      { node: 'node-1', zone: 'zone-a' },
      { node: 'node-2', zone: 'zone-b' },
    ],
    hosts: [
      {
        ...first!,
        certificates: ['x/certificate-1'],
        plaintext: 'Redirect',
        minTlsVersion: '1.3',
        strictTransport: { kind: 'Said', maxAgeSeconds: 31_536_000, includeSubdomains: true, preload: false },
        clientValidation: { kind: 'Asked', mode: 'AllowValidOnly', authorities: authoritiesText },
        rules: first!.rules.map((rule) => ({
          ...rule,
          ref: { ...rule.ref, kind: 'Ingress' },
          filters: [
            { kind: 'RequestBody', maxBytes: 1024 },
            { kind: 'ConcurrentRequests', most: 100 },
            {
              kind: 'SessionPersistence',
              source: 'Cookie',
              name: 'flint-1',
              lifetime: 'Session',
              absoluteMs: 0,
              idleMs: 60_000,
            },
            { kind: 'Retry', attempts: 2, codes: [502, 503], backoffMs: 25 },
          ],
          backends: [...rule.backends, { kind: 'Fallback', upstream: 'w/outside:443', weight: 1 }],
        })),
      },
      { ...others[0]!, plaintext: 'Redirect', tlsMode: 'Passthrough' },
      ...others.slice(1),
    ],
    upstreams: [
      {
        ...upstream('w/outside:443', 0),
        discovery: { kind: 'Dns', name: 'backend.example.net', port: 443, allowed: 'Public' },
      },
      ...upstreams.map((each, index): Upstream => ({
        ...each,
        protocol: index === 0 ? 'HTTP/2' : 'HTTP/1.1',
        tls: varied[index]!,
        policies: variedPolicies[index]!,
        zoneHints: [
          { zone: 'zone-a', endpoints: [0, 2] },
          { zone: 'zone-b', endpoints: [1] },
        ],
      })),
    ],
    certificates: [certificateOf('x/certificate-1'), certificateOf('x/certificate-2')],
    keys: [{ id: 'session', key: new SecretText(Buffer.alloc(32, 'k').toString('base64')) }],
  };
}
