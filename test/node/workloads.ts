// Manifests of the harness's own tests: the demo backend as a Deployment, as a DaemonSet on a host port, and Services.
import { demoImage } from './demo-images.ts';

interface Meta {
  readonly name: string;
  readonly namespace: string;
}

/** A namespace that admits what its level of Pod Security admits. */
export function namespace(name: string, level: 'restricted' | 'privileged'): object {
  const labels = { 'pod-security.kubernetes.io/enforce': level };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

/** A pod's spec that Pod Security `restricted` admits, unless it takes a host port. */
export function podSpec(hostPort?: number): object {
  const port = { name: 'http', containerPort: 8080, ...(hostPort === undefined ? {} : { hostPort }) };
  return {
    terminationGracePeriodSeconds: 15,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'demo',
        image: demoImage,
        // Longer than kubelet, controllers and kube-proxy of a busy machine take to tell each other.
        args: ['-delay', '4s'],
        imagePullPolicy: 'Never',
        ports: [port],
        readinessProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 1, timeoutSeconds: 5 },
        resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
        securityContext: {
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
          readOnlyRootFilesystem: true,
        },
      },
    ],
  };
}

/** At most one replica a node while there are as many nodes as replicas. */
export function deployment(metadata: Meta, replicas: number): object {
  const labels = { app: metadata.name };
  const spread = {
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: labels },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { ...podSpec(), topologySpreadConstraints: [spread] } },
    },
  };
}

export function daemonSet(metadata: Meta, hostPort: number): object {
  const labels = { app: metadata.name };
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata,
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: podSpec(hostPort) },
    },
  };
}

export function loadBalancer(metadata: Meta, nodePort: number): object {
  const ports = [{ name: 'http', port: 80, targetPort: 'http', nodePort }];
  const spec = { type: 'LoadBalancer', selector: { app: metadata.name }, ports };
  return { apiVersion: 'v1', kind: 'Service', metadata, spec };
}
