// Endpoints that come and go as fast as the API server takes it, under requests that must not notice: FLAP_SECONDS=60 for
// longer than ten seconds. Figures are reported, not judged: `make bench-control` measures them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { HttpClient } from '../e2e/http-client.ts';
import { simpleRoute } from '../e2e/manifests.ts';
import { cpuMsOf } from '../e2e/process-figures.ts';
import type { FlintProcess } from '../e2e/flint-process.ts';
import { AddressBackend } from './address-backend.ts';
import { ApiConnections } from './api-connections.ts';
import { Flips } from './flips.ts';
import { Pace } from './pace.ts';
import { TestCluster, moment, whyNoCluster } from './test-cluster.ts';
import type { ProxyPod } from './test-cluster.ts';

const skip = whyNoCluster() ?? false;
const seconds = Number(process.env['FLAP_SECONDS'] ?? 10);
const wantedPerSecond = 1000;
const apiConnections = 16;
const stable = '10.213.2.10';
/** One EndpointSlice each: writes of one object follow each other, those of several do not. */
const flapping = Array.from({ length: 30 }, (_, index) => `10.213.2.${11 + index}`);
const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
const flipEveryMs = 500;
const probePauseMs = 4;
/** What no machine is too slow for: the goal is 700 ms. */
const bearableMs = 15_000;

describe('flapping endpoints', { skip, timeout: 240_000 + seconds * 2000 }, () => {
  let cluster: TestCluster;
  let operator: FlintProcess;
  let backend: AddressBackend;
  let api: ApiConnections;

  before(async () => {
    cluster = await TestCluster.start(2);
    operator = await cluster.startOperator();
    backend = await AddressBackend.open(9000);
    api = new ApiConnections(cluster.api, apiConnections);
    await create('mixed', [stable, ...flapping]);
    await create('flip', [Flips.addressAt(0)]);
    await cluster.untilProxiesReady();
    for (const name of ['mixed', 'flip']) await cluster.waitReady(`${name}-test`);
  });
  after(async () => {
    api.close();
    backend.close();
    await cluster.stop();
  });

  /** A route, its Service, and a slice for each endpoint. */
  async function create(name: string, addresses: readonly string[]): Promise<void> {
    const ports = [{ port: 80 }];
    await cluster.create({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports } });
    for (const [index, address] of addresses.entries())
      await cluster.create({
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: `${name}-${index}`, labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        ports: [{ port: backend.port }],
        endpoints: [endpoint(address)],
      });
    await cluster.create(simpleRoute(`${name}.test`, name));
  }

  /** A conflict with another write of the same object is none of our business. */
  async function write(slice: string, address: string, isReady = true): Promise<void> {
    const content = { endpoints: [endpoint(address, isReady)] };
    const { status, body } = await api.call(
      'PATCH',
      `${slices}/${slice}`,
      content,
      'application/merge-patch+json',
    );
    if (status !== 200 && status !== 409) throw new Error(`${slice}: ${status} ${body.toString()}`);
  }

  test('no request fails, and no connection to an endpoint that stays is closed', async (t) => {
    const requests = new Requests(cluster.proxies, 'mixed.test');
    // One client of one worker needs one connection to an endpoint at a time, and uses it again and again.
    while (backend.socketsAt(stable).length < cluster.proxies.length) await moment();
    const socketsBefore = backend.socketsAt(stable);

    const processes = {
      operator,
      ...Object.fromEntries(cluster.proxies.map(({ name, flint }) => [name, flint])),
    };
    const spentMs = Object.values(processes).map(({ pid }) => cpuMsOf(pid));
    const startedMs = performance.now();
    const flips = new Flips(cluster.proxies, 'flip.test', probePauseMs);
    const flipping = setInterval(() => void flips.flip((address) => write('flip-0', address)), flipEveryMs);
    const pace = new Pace({
      perSecond: wantedPerSecond,
      most: apiConnections,
      work: (number) => {
        const index = number % flapping.length;
        const isReady = Math.floor(number / flapping.length) % 2 === 1;
        return write(`mixed-${index + 1}`, flapping[index] ?? '', isReady);
      },
    });
    await moment(seconds * 1000);
    clearInterval(flipping);
    const { perSecond, errors } = await pace.stop();
    const elapsedMs = performance.now() - startedMs;
    const percents = Object.entries(processes).map(
      ([name, { pid }], index) =>
        `${name} ${(((cpuMsOf(pid) - (spentMs[index] ?? 0)) / elapsedMs) * 100).toFixed(0)} %`,
    );
    const staleMs = await flips.end();
    const socketsAfter = backend.socketsAt(stable);
    const { count, failures } = await requests.stop();

    const p99Ms = staleMs.toSorted((a, b) => a - b)[Math.floor(staleMs.length * 0.99)] ?? Number.NaN;
    report(t, [
      `${perSecond.toFixed(0)} changes a second for ${seconds} s`,
      `${count} requests`,
      `staleness p99 ${p99Ms.toFixed(0)} ms of ${staleMs.length}`,
      `CPU of a core: ${percents.join(', ')}`,
    ]);
    assert.deepEqual(errors, []);
    assert.deepEqual(failures, []);
    assert.equal(socketsBefore.length, cluster.proxies.length);
    assert.ok(
      socketsAfter.length === socketsBefore.length &&
        socketsAfter.every((each) => socketsBefore.includes(each)),
      `${socketsBefore.filter((each) => each.destroyed).length} connections to the endpoint that stayed were closed, and ${socketsAfter.length} are open`,
    );
    assert.ok(p99Ms < bearableMs, `staleness p99 is ${p99Ms} ms`);
    // Every flapping endpoint was in use at some time, or nothing has been tested.
    assert.ok(requests.seen.size > flapping.length / 2, `${requests.seen.size} endpoints were asked`);
  });
});

/** One client for each data plane, one request after the other. */
class Requests {
  /** Addresses that answered. */
  readonly seen = new Set<string>();
  readonly #failures: string[] = [];
  readonly #done: Promise<unknown>;
  readonly #host: string;
  #count = 0;
  #isStopped = false;

  constructor(pods: readonly ProxyPod[], host: string) {
    this.#host = host;
    this.#done = Promise.all(pods.map((pod) => this.#askAll(pod)));
  }

  async stop(): Promise<{ readonly count: number; readonly failures: readonly string[] }> {
    this.#isStopped = true;
    await this.#done;
    return { count: this.#count, failures: this.#failures };
  }

  async #askAll({ name, http }: ProxyPod): Promise<void> {
    const client = await HttpClient.open(http);
    try {
      while (!this.#isStopped) {
        client.send(`GET / HTTP/1.1\r\nHost: ${this.#host}\r\n\r\n`);
        const { status, headers, body } = await client.answer();
        this.#count++;
        if (status === 200) this.seen.add(body);
        else this.#failures.push(`${name}: ${status} ${headers['x-flint-fault'] ?? ''}`);
        await moment(probePauseMs);
      }
    } catch (error) {
      this.#failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      client.close();
    }
  }
}

function endpoint(address: string, ready = true): unknown {
  return { addresses: [address], conditions: { ready, serving: ready, terminating: false } };
}

function report(t: TestContext, figures: readonly string[]): void {
  for (const figure of figures) t.diagnostic(figure);
}
