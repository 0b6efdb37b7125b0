// A cluster with nothing in it, to build views from.
import type { ClusterView } from '#translate/cluster-view.ts';

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
  now: '2024-06-01T00:00:00Z',
};
