// Ingresses on a test cluster: their manifests, the short way, and what becomes of them.
import assert from 'node:assert/strict';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { Echo } from '../e2e/backends.ts';
import { request } from '../e2e/http-client.ts';
import { moment } from './test-cluster.ts';
import type { TestCluster } from './test-cluster.ts';

export const collection = '/apis/networking.k8s.io/v1/namespaces/default/ingresses';

export interface StoredIngress extends KubernetesObject {
  readonly metadata: KubernetesObject['metadata'] & { readonly resourceVersion: string };
  readonly spec: { readonly ingressClassName?: string };
  readonly status: { readonly loadBalancer: { readonly ingress?: readonly LoadBalancerIngress[] } };
}

export type LoadBalancerIngress = Readonly<Record<string, unknown>>;

export interface StoredEvent {
  readonly type: string;
  readonly reason: string;
  readonly note: string;
  readonly regarding: { readonly kind: string; readonly name: string };
}

type Path = readonly [pathType: string, path: string, service: string];

export function backendOf(name: string, port: object = { number: 80 }): object {
  return { service: { name, port } };
}

export function ruleOf(host: string, ...paths: readonly Path[]): object {
  const http = {
    paths: paths.map(([pathType, path, name]) => ({ pathType, path, backend: backendOf(name) })),
  };
  return { host, http };
}

export function ingress(name: string, spec: object, metadata: object = {}): object {
  return { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name, ...metadata }, spec };
}

export function ingressClass(name: string, controller: string, isDefault = false): object {
  const annotations = { 'ingressclass.kubernetes.io/is-default-class': String(isDefault) };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: { name, annotations },
    spec: { controller },
  };
}

export function addressesOf({ status }: StoredIngress): readonly LoadBalancerIngress[] {
  return status.loadBalancer.ingress ?? [];
}

/** In the default namespace. */
export class Ingresses {
  readonly #cluster: TestCluster;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
  }

  async create(object: object): Promise<void> {
    const { status, body } = await this.#cluster.api.call('POST', collection, object);
    assert.equal(status, 201, JSON.stringify(body));
  }

  async stored(name: string): Promise<StoredIngress> {
    return await this.#cluster.get(`${collection}/${name}`);
  }

  /** Names of the echo backends that answered, one of each data plane; the status where it was none. */
  async answeredBy(host: string, path = '/'): Promise<readonly string[]> {
    return await Promise.all(
      this.#cluster.proxies.map(async ({ http }) => {
        const { status, body } = await request(http, host, path);
        return status === 200 ? (JSON.parse(body) as Echo).backend : String(status);
      }),
    );
  }

  async untilAnsweredBy(host: string, path: string, wanted: string): Promise<void> {
    await until(
      () => this.answeredBy(host, path),
      (answers) => answers.every((answer) => answer === wanted),
      `${host}${path} is not answered by ${wanted}`,
    );
  }

  /** Until its status says where it is reached. */
  async untilPublished(name: string): Promise<StoredIngress> {
    return await until(
      () => this.stored(name),
      (object) => addressesOf(object).length > 0,
      `${name} has no address`,
    );
  }

  async untilEvent(name: string, reason: string): Promise<StoredEvent> {
    const events = await until(
      async () => {
        const path = '/apis/events.k8s.io/v1/namespaces/default/events';
        const { items } = await this.#cluster.get<{ readonly items: readonly StoredEvent[] }>(path);
        return items.filter(({ regarding }) => regarding.kind === 'Ingress' && regarding.name === name);
      },
      (all) => all.some((event) => event.reason === reason),
      `${name} has no event ${reason}`,
    );
    return events.find((event) => event.reason === reason)!;
  }
}

async function until<T>(look: () => Promise<T>, isWanted: (seen: T) => boolean, fault: string): Promise<T> {
  const endMs = Date.now() + 30_000;
  for (;;) {
    const seen = await look();
    if (isWanted(seen)) return seen;
    if (Date.now() > endMs) throw new Error(`${fault}: ${JSON.stringify(seen)}`);
    await moment();
  }
}
