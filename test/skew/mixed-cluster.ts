// A test cluster in which the present build and an older one run side by side, under load, while endpoints move.
import assert from 'node:assert/strict';
import { decodeHead } from '#model/head.ts';
import type { Head } from '#model/head.ts';
import { AddressBackend } from '../cluster/address-backend.ts';
import { TestCluster, moment } from '../cluster/test-cluster.ts';
import type { OperatorOptions, ProxyPod } from '../cluster/test-cluster.ts';
import type { FlintProcess } from '../e2e/flint-process.ts';
import { HttpClient, request } from '../e2e/http-client.ts';
import { Load } from '../e2e/load.ts';
import { service, simpleRoute, yaml } from '../e2e/manifests.ts';
import { OldBuild } from './old-build.ts';
import { StatusWatch } from './status-watch.ts';

export type BuildAge = 'old' | 'new';

const backendPort = 9000;
const addresses = 200;
const patienceMs = 60_000;

/** Where the endpoint of the Service `steady` is, for ever. */
export const steadyAddress = '10.213.3.1';

function movingAddress(number: number): string {
  return `10.213.3.${2 + (number % addresses)}`;
}

export class MixedCluster {
  readonly cluster: TestCluster;
  readonly #old: OldBuild;
  readonly #backend: AddressBackend;
  readonly #loads = new Map<ProxyPod, Load>();
  #watch: StatusWatch | undefined = undefined;
  #moves = 0;

  private constructor(cluster: TestCluster, old: OldBuild, backend: AddressBackend) {
    this.cluster = cluster;
    this.#old = old;
    this.#backend = backend;
  }

  /** Two Services that every test uses, with a route each: `steady` stays where it is, `moving` moves. */
  static async start(oldSchema: number): Promise<MixedCluster> {
    const cluster = await TestCluster.start();
    const mixed = new MixedCluster(
      cluster,
      OldBuild.unpack(oldSchema),
      await AddressBackend.open(backendPort),
    );
    await cluster.apply(
      yaml(
        ...service('steady', [backendPort], steadyAddress),
        ...service('moving', [backendPort], movingAddress(0)),
        simpleRoute('steady.test', 'steady'),
        simpleRoute('moving.test', 'moving'),
      ),
    );
    // Where an Ingress is told that it is reached.
    const addresses = [{ type: 'ExternalIP', address: '192.0.2.10' }];
    await cluster.api.call(
      'PATCH',
      '/api/v1/nodes/node-1/status',
      { status: { addresses } },
      { contentType: 'application/strategic-merge-patch+json' },
    );
    return mixed;
  }

  async stop(): Promise<void> {
    this.#watch?.stop();
    for (const load of this.#loads.values()) void load.stop();
    await this.cluster.stop();
    this.#backend.close();
    this.#old.remove();
  }

  /** Resolves when it leads. */
  async operator(age: BuildAge, options: OperatorOptions = {}): Promise<FlintProcess> {
    const operator = await this.startOperator(age, options);
    await operator.until(() => operator.said('leading'));
    return operator;
  }

  startOperator(age: BuildAge, options: OperatorOptions = {}): Promise<FlintProcess> {
    return this.cluster.startOperator(age === 'old' ? { ...options, build: this.#old.root } : options);
  }

  startProxy(index: number, age: BuildAge): Promise<ProxyPod> {
    return this.cluster.startProxy(index, age === 'old' ? { build: this.#old.root } : {});
  }

  async proxies(...ages: readonly BuildAge[]): Promise<void> {
    const pods = await Promise.all(ages.map((age, index) => this.startProxy(index + 1, age)));
    for (const pod of pods) await this.untilReady(pod);
  }

  async untilReady(pod: ProxyPod): Promise<void> {
    const endMs = Date.now() + patienceMs;
    while (!pod.isReady) {
      if (Date.now() > endMs) {
        const revision = await pod.admin('/revision').then((answer) => answer.text(), String);
        throw new Error(`${pod.name} is not ready: ${revision}`);
      }
      await moment();
    }
  }

  /** Resolves when the pod says that it could not take the newest revision, and why. */
  async untilRefused(pod: ProxyPod, refusal: string): Promise<void> {
    const endMs = Date.now() + patienceMs;
    for (;;) {
      const text = await pod.admin('/revision').then((answer) => answer.text(), String);
      if (text.includes(`"refusal":"${refusal}"`)) return;
      if (Date.now() > endMs) throw new Error(`${pod.name}: ${text}`);
      await moment();
    }
  }

  /** From here on every pod that is ready is asked without pause, and nobody who is Ready may lose that. */
  async observe({ addresses = true } = {}): Promise<void> {
    this.#watch = await StatusWatch.start(this.cluster.api, addresses);
    for (const pod of this.cluster.proxies) this.#load(pod);
  }

  /** What nobody may have noticed: 0 failed requests, no status that went back. */
  async assertUnnoticed(least: { readonly ready: number }): Promise<void> {
    for (const pod of Array.from(this.#loads.keys())) await this.#assertSteady(pod, (load) => load.stop());
    const watch = this.#watch;
    assert.ok(watch !== undefined);
    // An event may come after the last status.
    await moment(500);
    watch.stop();
    this.#watch = undefined;
    assert.deepEqual(watch.losses, []);
    assert.ok(watch.count >= least.ready, `${watch.count} have been Ready`);
  }

  /** As a DaemonSet does it: told to stop, it finishes what it has, and another takes its place. */
  async replace(pod: ProxyPod, age: BuildAge): Promise<ProxyPod> {
    const next = await this.follow(pod, age);
    await this.untilReady(next);
    if (this.#watch !== undefined) this.#load(next);
    return next;
  }

  /** The same without waiting for it to be ready. */
  async follow(pod: ProxyPod, age: BuildAge): Promise<ProxyPod> {
    await this.#drain(pod);
    return this.startProxy(Number(pod.name.replace('flint-proxy-', '')), age);
  }

  async #drain(pod: ProxyPod): Promise<void> {
    const path = `/api/v1/namespaces/flint-system/pods/${pod.name}`;
    await this.cluster.api.call('DELETE', `${path}?gracePeriodSeconds=60`);
    const stopped = pod.flint.stop('SIGTERM');
    if (this.#loads.has(pod)) await this.#assertSteady(pod, (load) => load.ended());
    await stopped;
    await this.cluster.removeProxy(pod);
  }

  #load(pod: ProxyPod): void {
    const load = new Load({ port: pod.http, host: 'steady.test', connections: 2, onClose: 'stop' });
    this.#loads.set(pod, load);
  }

  async #assertSteady(pod: ProxyPod, end: (load: Load) => ReturnType<Load['ended']>): Promise<void> {
    const load = this.#loads.get(pod);
    assert.ok(load !== undefined);
    this.#loads.delete(pod);
    const { requests, statuses, errors, closedConnections } = await end(load);
    assert.deepEqual(
      [errors, Object.keys(statuses), closedConnections],
      [[], ['200'], 0],
      `${pod.name} after ${requests} requests: ${JSON.stringify(statuses)}`,
    );
  }

  /** The endpoint of `moving` moves; resolves when every pod that is ready has followed, as often as asked. */
  async move(times = 1): Promise<void> {
    for (let time = 0; time < times; time++) {
      const address = movingAddress(++this.#moves);
      const { status } = await this.cluster.api.call(
        'PATCH',
        `/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/moving-${backendPort}`,
        { endpoints: [{ addresses: [address] }] },
        { contentType: 'application/merge-patch+json' },
      );
      assert.equal(status, 200);
      const ready = this.cluster.proxies.filter((pod) => pod.isReady);
      assert.ok(ready.length > 0);
      await Promise.all(ready.map((pod) => this.#untilAnswered(pod, 'moving.test', address)));
    }
  }

  async #untilAnswered(pod: ProxyPod, host: string, body: string): Promise<void> {
    const endMs = Date.now() + patienceMs;
    const client = await HttpClient.open(pod.http);
    try {
      for (let seen = ''; seen !== body; await moment(10)) {
        client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
        seen = (await client.answer()).body;
        if (Date.now() > endMs && seen !== body)
          throw new Error(`${pod.name} answers ${host} with ${seen}, not ${body}`);
      }
    } finally {
      client.close();
    }
  }

  /** What every pod answers to a GET: `200 10.213.3.1`. */
  async answers(host: string, path = '/'): Promise<readonly string[]> {
    return Promise.all(
      this.cluster.proxies.map(async ({ http }) => {
        const { status, body } = await request(http, host, path);
        return status === 200 ? `${status} ${body}` : String(status);
      }),
    );
  }

  async assertAnswers(host: string, path: string, wanted: string | number): Promise<void> {
    const text = typeof wanted === 'number' ? String(wanted) : wanted;
    assert.deepEqual(
      await this.answers(host, path),
      this.cluster.proxies.map(() => text),
      `${host}${path}`,
    );
  }

  async head(): Promise<Head> {
    const path = '/api/v1/namespaces/flint-routes/configmaps/flint-head';
    const { data } = await this.cluster.get<{ readonly data: Readonly<Record<string, string>> }>(path);
    const decoded = decodeHead(data['head'] ?? '');
    assert.ok(decoded.kind === 'Decoded', JSON.stringify(decoded));
    return decoded.head;
  }

  /** Resolves when the head is of that schema. */
  async untilSchema(schema: number): Promise<void> {
    const endMs = Date.now() + patienceMs;
    for (let seen = 0; seen !== schema; await moment()) {
      ({ schema: seen } = await this.head());
      if (seen !== schema && Date.now() > endMs) throw new Error(`the head is of schema ${seen}`);
    }
  }
}
