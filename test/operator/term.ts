// A leader's whole time in office over a cluster in memory: routes, Services, nodes, and pods that serve what is published.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { ApiClient } from '#kube/api-client.ts';
import type { Revision } from '#model/revision.ts';
import { schemaNumbers } from '#model/route-model-schema.ts';
import { Operator } from '#operator/operator.ts';
import type { OperatorOptions } from '#operator/operator.ts';
import { readStatus } from '#operator/route-status.ts';
import type { RouteStatus } from '#operator/route-status.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import { FakeApi } from '../kube/fake-api.ts';
import { until } from '../kube/until.ts';
import { storedHead } from './published.ts';

export const routes = '/apis/flint.dev/v1alpha1/namespaces/shop/ingressroutes';
export const ingresses = '/apis/networking.k8s.io/v1/namespaces/shop/ingresses';
export const endpointSlices = '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices';
export const pods = '/api/v1/namespaces/flint-system/pods';
const services = '/api/v1/namespaces/shop/services';
const nodes = '/api/v1/nodes';
const ready = { conditions: [{ type: 'Ready', status: 'True' }] };
const labels = { app: 'proxy' };

export function putRoute(api: FakeApi, name: string, spec: object = {}): void {
  api.put(routes, {
    apiVersion: 'flint.dev/v1alpha1',
    kind: 'IngressRoute',
    metadata: { name, namespace: 'shop' },
    spec: { hostnames: [`${name}.test`], rules: [{ backendRefs: [{ name: 'shop', port: 80 }] }], ...spec },
  });
}

export function putIngress(api: FakeApi, name: string): void {
  const backend = { service: { name: 'shop', port: { number: 80 } } };
  api.put(ingresses, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'shop' },
    spec: {
      rules: [{ host: `${name}.test`, http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
    },
  });
}

export function putEndpoints(api: FakeApi, ...addresses: readonly string[]): void {
  api.put(endpointSlices, {
    kind: 'EndpointSlice',
    metadata: { name: 'shop-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'shop' } },
    addressType: 'IPv4',
    ports: [{ port: 8080, protocol: 'TCP' }],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  });
}

/** A node of that number with a pod of the data plane on it. */
export function putPod(api: FakeApi, number: number, status: object = ready): void {
  const [name, nodeName] = [`proxy-${number}`, `node-${number}`];
  api.put(nodes, {
    kind: 'Node',
    metadata: { name: nodeName },
    status: { ...ready, addresses: [{ type: 'InternalIP', address: `10.0.0.${number}` }] },
  });
  api.put(pods, {
    kind: 'Pod',
    metadata: { name, namespace: 'flint-system', labels },
    spec: { nodeName, containers: [{ ports: [{ name: 'admin', containerPort: 9901 }] }] },
    status: { podIP: `10.1.0.${number}`, ...status },
  });
}

/** With a class, a Service and its endpoints; two pods. */
export function cluster(): FakeApi {
  const api = new FakeApi();
  api.put('/apis/networking.k8s.io/v1/ingressclasses', {
    kind: 'IngressClass',
    metadata: {
      name: 'flint',
      annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' },
    },
    spec: { controller: 'flint.dev/ingress-controller' },
  });
  api.put(services, {
    kind: 'Service',
    metadata: { name: 'shop', namespace: 'shop' },
    spec: { type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP' }], ipFamilies: ['IPv4'] },
  });
  putEndpoints(api, '10.2.0.1');
  for (const number of [1, 2]) putPod(api, number);
  return api;
}

export class Term {
  readonly api: FakeApi;
  readonly operator: Operator;
  readonly warnings: string[] = [];
  /** Each head that was published, as `schema/sequence`. */
  readonly published: string[] = [];
  /** What a pod says otherwise than that it serves what is published. */
  readonly says = new Map<string, () => Partial<Revision>>();
  readonly running: Promise<void>;
  readonly #controller = new AbortController();

  constructor(context: TestContext, api: FakeApi, options: Partial<OperatorOptions> = {}) {
    this.api = api;
    const { signal } = this.#controller;
    context.after(() => this.end());
    this.operator = new Operator(
      {
        client: new ApiClient(api),
        identity: 'operator-0',
        watchNamespaces: [],
        routesNamespace: 'flint-routes',
        systemNamespace: 'flint-system',
        proxySelector: 'app=proxy',
        readsClusterScoped: true,
        publishAddresses: [],
        publishService: undefined,
        chunkRetentionMs: 600_000,
        translate: defaultTranslateSettings,
        ask: ({ name }, after, asking) => this.#ask(name, after, asking),
        log: {
          info: () => {},
          warn: (fields, message) => this.warnings.push(`${message} ${JSON.stringify(fields)}`),
        },
        ...options,
      },
      { term: 1, signal, isHeld: () => !signal.aborted },
    );
    api.onChange = () => {
      const head = storedHead(api);
      const text = `${head?.schema}/${head?.sequence}`;
      if (head !== undefined && this.published.at(-1) !== text) this.published.push(text);
    };
    this.running = this.operator.run();
    // Whoever waits for it says what it should be.
    this.running.catch(() => {});
  }

  end(): Promise<void> {
    this.#controller.abort();
    return this.running.catch(() => {});
  }

  /** As a pod that takes every revision at once. */
  async #ask(name: string, after: number, signal: AbortSignal): Promise<Revision> {
    for (let waitedMs = 0; ; waitedMs += 5) {
      signal.throwIfAborted();
      const head = storedHead(this.api);
      const revision: Revision = {
        sequence: head?.sequence ?? 0,
        digest: head?.digest ?? '',
        schemas: schemaNumbers,
        workers: 1,
        refused: null,
        ...this.says.get(name)?.(),
      };
      if (revision.sequence > after || waitedMs >= 500) return revision;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  status(name: string): RouteStatus | undefined {
    return readStatus(this.api.get(routes, name)?.['status']);
  }

  isReady(name: string): boolean {
    const ready = this.status(name)?.conditions.find(({ type }) => type === 'Ready');
    return ready?.status === 'True';
  }

  async ready(...names: readonly string[]): Promise<void> {
    await until('all are ready', () => names.every((name) => this.isReady(name)));
  }

  /** Nothing has been written for so long. */
  async quiet(ms: number): Promise<void> {
    let { length } = this.api.writes;
    for (let sinceMs = Date.now(), rounds = 0; Date.now() - sinceMs < ms; rounds++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      if (this.api.writes.length !== length) sinceMs = Date.now();
      ({ length } = this.api.writes);
      assert.ok(rounds < 3000, 'there is no end of writes');
    }
  }
}
