// A leader's statuses over a store of routes in memory: what its tests say of objects and pods, and what they ask.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { Problem } from '#api/problem.ts';
import { ClusterObjects } from '#cluster/objects.ts';
import { ApiClient } from '#kube/api-client.ts';
import type { RouteModel } from '#model/route-model.ts';
import { Acknowledgements } from '#operator/acknowledgements.ts';
import { EventRecorder } from '#operator/event-recorder.ts';
import { conditionOf, readStatus } from '#operator/route-status.ts';
import type { ConditionType, RouteStatus } from '#operator/route-status.ts';
import { Statuses } from '#operator/statuses.ts';
import type { ServedCertificate, Verdict } from '#translate/verdict.ts';
import { FakeApi } from '../kube/fake-api.ts';
import { until } from '../kube/until.ts';
import { exactHost, modelOf, upstream } from '../model/large-model.ts';
import { candidate, ScriptedPods } from './scripted-pods.ts';

export const routes = '/apis/flint.dev/v1alpha1/namespaces/shop/ingressroutes';
export const events = '/apis/events.k8s.io/v1/namespaces/shop/events';
export const model = modelOf([exactHost('a.test', 'shop/s:80')], [upstream('shop/s:80', 1)]);

export interface Route {
  readonly name: string;
  readonly kind: Verdict['kind'];
  readonly problems: readonly Problem[];
  readonly certificates?: readonly ServedCertificate[];
}

/** A leader's statuses over a store of routes, and pods that say what they serve. */
export class Office {
  readonly api: FakeApi;
  readonly pods: ScriptedPods;
  readonly errors: unknown[] = [];
  readonly acknowledgements: Acknowledgements;
  readonly statuses: Statuses;
  isLeading = true;

  constructor(context: TestContext, api: FakeApi, pods = new ScriptedPods()) {
    const controller = new AbortController();
    context.after(() => controller.abort());
    const { signal } = controller;
    const objects = new ClusterObjects(new ApiClient(api));
    const onError = (error: unknown): unknown => this.errors.push(error);
    this.api = api;
    this.pods = pods;
    this.acknowledgements = new Acknowledgements({
      ask: pods.ask,
      digestOf: (sequence) => `digest-${sequence}`,
      onChange: () => this.statuses.refresh(),
      onSilence: () => {},
      signal,
    });
    this.statuses = new Statuses({
      objects,
      acknowledgements: this.acknowledgements,
      events: new EventRecorder({ objects, identity: 'operator-0', onError, signal }),
      isLeading: () => this.isLeading,
      onError,
      signal,
    });
  }

  /** As a cycle does: these are all the routes that there are. */
  publish(
    sequence: number,
    all: readonly Route[],
    present: RouteModel = model,
    heldBack: readonly string[] = [],
  ): void {
    const verdicts = all.map(({ name, kind, problems, certificates = [] }): Verdict => {
      const object = { kind: 'IngressRoute', namespace: 'shop', name };
      switch (kind) {
        case 'Accepted':
          return { kind, object, hosts: ['a.test'], certificates, problems };
        case 'Rejected':
          return { kind, object, problems };
        case 'NotOurs':
          return { kind, object, message: 'of another class' };
      }
    });
    const objects = new Map(all.map(({ name }) => [`shop/${name}`, this.route(name)]));
    this.statuses.publish({
      sequence,
      model: present,
      verdicts,
      routeOf: (id) => objects.get(id),
      heldBack: new Set(heldBack.map((name) => `shop/${name}`)),
    });
    this.statuses.refresh();
  }

  /** As a watch does that shows a status which was written. */
  observe(name: string): void {
    this.statuses.observe(this.route(name));
    this.statuses.refresh();
  }

  route(name: string): KubernetesObject {
    const object = this.api.get(routes, name);
    assert.ok(object !== undefined, name);
    return object;
  }

  status(name: string): RouteStatus | undefined {
    return readStatus(this.route(name)['status']);
  }

  /** The status of a condition and its reason; undefined when it is not there. */
  said(name: string, type: ConditionType): string | undefined {
    const condition = conditionOf(this.status(name), type);
    return condition === undefined ? undefined : `${condition.status} ${condition.reason}`;
  }

  told(name: string, type: ConditionType, expected: string): Promise<void> {
    return until(`${name}: ${type} is ${expected}`, () => this.said(name, type) === expected);
  }

  /** Writes of statuses that took effect. */
  get writes(): readonly string[] {
    return this.api.writes.filter((write) => write.startsWith('PATCH '));
  }

  /** Everything that is under way has ended, and no amount of ticks asks for more. */
  async settle(rounds = 3): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      const { length } = this.api.requests;
      this.statuses.refresh();
      // Longer than a request takes, which is one turn of the loop for each step of it.
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      if (this.api.requests.length === length) return;
    }
    assert.fail(`there is no end of requests: ${this.api.requests.slice(-5).join(', ')}`);
  }
}

export function accepted(name: string, ...problems: readonly Problem[]): Route {
  return { name, kind: 'Accepted', problems };
}

export function rejected(name: string, ...problems: readonly Problem[]): Route {
  return { name, kind: 'Rejected', problems };
}

export const notFound: Problem = {
  reason: 'BackendNotFound',
  at: 'spec.rules[0]',
  message: 'there is no Service s',
};
export const invalid: Problem = { reason: 'Invalid', at: 'spec.hostnames', message: 'is required' };

export function storeOf(...names: readonly string[]): FakeApi {
  const api = new FakeApi();
  for (const name of names) putRoute(api, name);
  return api;
}

export function putRoute(api: FakeApi, name: string): void {
  api.put(routes, {
    apiVersion: 'flint.dev/v1alpha1',
    kind: 'IngressRoute',
    metadata: { name, namespace: 'shop' },
    spec: { hostnames: ['a.test'] },
  });
}

export function editSpec(api: FakeApi, name: string, path: string): void {
  api.edit(routes, name, (route) => ({ ...route, spec: { hostnames: ['a.test'], path } }));
}

/** An office in which `name` is proved by one pod. */
export async function proved(context: TestContext, name: string): Promise<Office> {
  const office = new Office(context, storeOf(name));
  office.pods.serve('a', 1);
  office.acknowledgements.update([candidate('a')]);
  office.publish(1, [accepted(name)]);
  await office.told(name, 'Ready', 'True Programmed');
  office.observe(name);
  await office.settle();
  office.api.writes.length = 0;
  return office;
}
