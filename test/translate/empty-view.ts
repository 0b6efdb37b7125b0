// A cluster with nothing in it, to build views from.
import { SecretText } from '#model/secret-text.ts';
import type { ClusterView } from '#translate/cluster-view.ts';

export const testSessionKey: ClusterView['sessionKey'] = {
  id: 'session',
  key: new SecretText(Buffer.alloc(32, 's').toString('base64')),
};

export const emptyView: ClusterView = {
  ingressRoutes: [],
  ingresses: [],
  ingressClasses: [],
  services: [],
  endpointSlices: [],
  secrets: [],
  nodes: [],
  issuedCertificates: [],
  claims: new Map(),
  lastGood: new Map(),
  sessionKey: testSessionKey,
  now: '2024-06-01T00:00:00Z',
};
