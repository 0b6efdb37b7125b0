// What breaks in a cluster, one thing after the other, under traffic that must not notice.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { chunkName } from '#model/chunk.ts';
import { decodeHead, encodeHead } from '#model/head.ts';
import type { Head } from '#model/head.ts';
import { echoBackend } from '../e2e/backends.ts';
import type { Backend } from '../e2e/backends.ts';
import type { FlintProcess } from '../e2e/flint-process.ts';
import { Load } from '../e2e/load.ts';
import { service, simpleRoute, yaml } from '../e2e/manifests.ts';
import { Interposer } from './interposer.ts';
import { TestCluster, backendAddress, moment, whyNoCluster } from './test-cluster.ts';

const skip = whyNoCluster() ?? false;
const configMaps = '/api/v1/namespaces/flint-routes/configmaps';

interface ConfigMap {
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string };
  readonly data: Readonly<Record<string, string>>;
}

describe('chaos', { skip }, () => {
  let cluster: TestCluster;
  let backend: Backend;
  let loads: readonly Load[];
  let operators: FlintProcess[];
  let tests = 0;

  const closing: (() => unknown)[] = [];

  before(async () => {
    cluster = await TestCluster.start(3);
    backend = await echoBackend({ after: (close) => closing.push(close) }, 'steady', 0, backendAddress);
    const operator = await cluster.startOperator();
    await cluster.apply(
      yaml(...service('steady', [backend.port], backendAddress), simpleRoute('steady.test', 'steady')),
    );
    await cluster.untilProxiesReady();
    await cluster.waitReady('steady-test');
    await operator.stop('SIGTERM');
  });
  after(async () => {
    for (const close of closing) close();
    await cluster.stop();
  });

  beforeEach(() => {
    tests++;
    operators = [];
    loads = cluster.proxies.map(
      ({ http }) => new Load({ port: http, host: 'steady.test', connections: 2, onClose: 'reconnect' }),
    );
  });

  /** Nobody has noticed anything, and what is applied next still becomes true. */
  afterEach(async () => {
    await converges(`after-${tests}`);
    for (const load of loads) {
      const { errors, statuses, closedConnections } = await load.stop();
      assert.deepEqual([errors, Object.keys(statuses), closedConnections], [[], ['200'], 0]);
    }
    for (const operator of operators)
      if (operator.process.exitCode === null && operator.process.signalCode === null)
        await operator.stop('SIGTERM');
  });

  async function startOperator(
    options: Parameters<TestCluster['startOperator']>[0] = {},
  ): Promise<FlintProcess> {
    const operator = await cluster.startOperator({
      ...options,
      args: ['--lease-duration', '1500', ...(options.args ?? [])],
    });
    operators.push(operator);
    return operator;
  }

  async function leading(operator: FlintProcess): Promise<FlintProcess> {
    await operator.until(() => operator.said('leading'));
    return operator;
  }

  async function converges(name: string): Promise<void> {
    await cluster.apply(yaml(simpleRoute(`${name}.test`, 'steady')));
    await cluster.waitReady(`${name}-test`);
    assert.deepEqual(
      await cluster.statuses(`${name}.test`),
      cluster.proxies.map(() => 200),
    );
  }

  async function head(): Promise<Head> {
    const object = await cluster.get<ConfigMap>(`${configMaps}/flint-head`);
    const decoded = decodeHead(object.data['head'] ?? '');
    assert.equal(decoded.kind, 'Decoded');
    return decoded.kind === 'Decoded' ? decoded.head : assert.fail();
  }

  async function revisions(): Promise<readonly number[]> {
    return Promise.all(
      cluster.proxies.map(async (pod) => {
        const { sequence } = (await (await pod.admin('/revision')).json()) as { readonly sequence: number };
        return sequence;
      }),
    );
  }

  async function refusals(refusal: string): Promise<readonly number[]> {
    const series = `flint_refused_bundles_total{refusal="${refusal}"}`;
    return Promise.all(cluster.proxies.map((pod) => pod.metric(series)));
  }

  test('the API server dies and comes back, and an object is deleted while nobody looks', async () => {
    const operator = await leading(await startOperator());
    await converges('short-lived');
    await cluster.api.kill();
    await Promise.all(loads.map((load) => load.more(300)));
    await cluster.api.restart();
    await cluster.delete('ir', 'short-lived-test');
    await cluster.untilStatus('short-lived.test', 404);
    assert.equal(operator.process.exitCode, null);
  });

  test('the operator is away while objects come and go', async () => {
    const first = await leading(await startOperator());
    await converges('goes-unseen');
    await first.stop('SIGKILL');
    await cluster.delete('ir', 'goes-unseen-test');
    await cluster.apply(yaml(simpleRoute('comes-unseen.test', 'steady')));
    await Promise.all(loads.map((load) => load.more(300)));
    assert.deepEqual(await cluster.statuses('goes-unseen.test'), [200, 200, 200], 'the last good table');
    await leading(await startOperator());
    await cluster.waitReady('comes-unseen-test');
    await cluster.untilStatus('goes-unseen.test', 404);
  });

  test('the API server hangs for a minute', async () => {
    await leading(await startOperator());
    cluster.api.freeze();
    await moment(60_000);
    assert.deepEqual(await cluster.statuses('steady.test'), [200, 200, 200]);
    const ready = await Promise.all(cluster.proxies.map(async (pod) => (await pod.admin('/readyz')).status));
    assert.deepEqual(ready, [200, 200, 200], 'readiness stays');
    cluster.api.wake();
  });

  test('the leader is frozen past its lease, another leads, and the woken one changes nothing', async () => {
    // Long enough for no other reason than the frost to lose it.
    const args = ['--lease-duration', '4500'];
    const frozen = await leading(await startOperator({ args }));
    const other = await startOperator({ args });
    await converges('before-frost');
    frozen.process.kill('SIGSTOP');
    await leading(other);
    await converges('after-frost');
    const { epoch, sequence } = await head();
    frozen.process.kill('SIGCONT');
    await frozen.until(() => frozen.said('no longer leading'));
    await converges('after-thaw');
    const now = await head();
    assert.equal(now.epoch, epoch);
    assert.ok(now.sequence > sequence);
    // It stands for election again, and takes over when the other goes.
    const led = frozen.log.filter(({ msg }) => msg === 'leading').length;
    await other.stop('SIGTERM');
    await frozen.until(() => frozen.log.filter(({ msg }) => msg === 'leading').length > led);
  });

  test('a data plane dies, and serves only when it has a whole table again', async () => {
    await leading(await startOperator());
    const [pod] = cluster.proxies;
    // Its own traffic ends with it.
    const [own, ...others] = loads;
    loads = others;
    await own?.stop();
    await cluster.restartProxy(pod!);
    let first = 0;
    while (first === 0) {
      first = await cluster.statuses('steady.test').then(
        ([status = 0]) => status,
        () => 0,
      );
      if (first === 0) await moment();
    }
    assert.equal(first, 200, 'the first answer of all');
    await cluster.untilProxiesReady();
  });

  test('the operator is killed at every single write, before and after it takes effect', async () => {
    const interposer = await Interposer.start(cluster.api);
    const server = { url: interposer.url, caFile: cluster.api.caFile };
    let newest = Math.max(...(await revisions()));
    let isDone = false;
    for (let round = 1; !isDone; round++)
      for (const when of ['before', 'after'] as const) {
        const name = `killed-${round}-${when}`;
        const last = round === 1 ? undefined : `killed-${round - 1}-${when}`;
        await cluster.apply(yaml(simpleRoute(`${name}.test`, 'steady')));
        if (last !== undefined) await cluster.delete('ir', `${last}-test`);
        const first = interposer.writes.length;
        const victim = await startOperator({ server });
        interposer.onWrite = ({ number }, at) => {
          if (number !== first + round || at !== when) return 'pass';
          victim.process.kill('SIGKILL');
          return 'drop';
        };
        const died = await Promise.race([
          victim.until(() => false).catch(() => true),
          cluster
            .untilCondition(`${name}-test`, 'Ready', 'True Programmed')
            // The event may come after the last status.
            .then(() => moment(500))
            .then(() => false),
        ]);
        interposer.onWrite = () => 'pass';
        if (!died) {
          isDone = round > 1;
          await victim.stop('SIGTERM');
          continue;
        }
        const rescuer = await startOperator();
        await cluster.waitReady(`${name}-test`);
        await cluster.untilStatus(`${name}.test`, 200);
        if (last !== undefined) await cluster.untilStatus(`${last}.test`, 404);
        const now = await revisions();
        assert.ok(Math.min(...now) >= newest, `${now.join(', ')} after ${newest}`);
        newest = Math.max(...now);
        await rescuer.stop('SIGTERM');
      }
    interposer.stop();
    assert.ok(interposer.writes.length > 20, `${interposer.writes.length} writes seen`);
    for (const refusal of ['DigestMismatch', 'Malformed', 'UnknownSchema', 'TooLarge'])
      assert.deepEqual(await refusals(refusal), [0, 0, 0], refusal);
    await leading(await startOperator());
  });

  test('a chunk is replaced by another, and the head by rubbish: the old table stays until the operator is back', async () => {
    const first = await leading(await startOperator());
    await converges('before-rubbish');
    await first.stop('SIGTERM');
    const good = await head();
    const before = await revisions();
    const replaceHead = async (text: string): Promise<void> => {
      const object = await cluster.get<ConfigMap>(`${configMaps}/flint-head`);
      const { status } = await cluster.api.call('PUT', `${configMaps}/flint-head`, {
        ...object,
        data: { head: text },
      });
      assert.equal(status, 200);
    };
    const until = async (refusal: string, atLeast: readonly number[]): Promise<void> => {
      for (;;) {
        const now = await refusals(refusal);
        if (now.every((count, index) => count > (atLeast[index] ?? 0))) return;
        await moment();
      }
    };
    const was = {
      UnknownSchema: await refusals('UnknownSchema'),
      Malformed: await refusals('Malformed'),
      DigestMismatch: await refusals('DigestMismatch'),
      ChunkMissing: await refusals('ChunkMissing'),
      TooLarge: await refusals('TooLarge'),
    };
    await replaceHead('rubbish');
    await until('Malformed', was.Malformed);
    await replaceHead(encodeHead({ ...good, schema: 99, sequence: good.sequence + 1 }));
    await until('UnknownSchema', was.UnknownSchema);
    await replaceHead(
      encodeHead({
        ...good,
        sequence: good.sequence + 1,
        chunks: [...good.chunks, { kind: 'hosts', digest: '0'.repeat(64) }],
      }),
    );
    await until('ChunkMissing', was.ChunkMissing);
    for (const [digest, size, refusal] of [
      ['1'.repeat(64), 10, 'DigestMismatch'],
      ['2'.repeat(64), 1_040_000, 'TooLarge'],
    ] as const) {
      const chunk = { kind: 'hosts', digest } as const;
      const created = await cluster.api.call('POST', configMaps, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: chunkName(chunk) },
        data: { chunk: 'x'.repeat(size) },
      });
      assert.equal(created.status, 201);
      await replaceHead(
        encodeHead({ ...good, sequence: good.sequence + 1, chunks: [...good.chunks, chunk] }),
      );
      await until(refusal, was[refusal]);
    }
    assert.deepEqual(await revisions(), before);
    const told = (await (await cluster.proxies[0]!.admin('/revision')).json()) as {
      readonly refused: { readonly refusal: string };
    };
    assert.equal(told.refused.refusal, 'TooLarge');
    // An older head, whole and well-formed, is no way back.
    await replaceHead(encodeHead({ ...good, sequence: 1 }));
    await cluster.delete('ir', 'before-rubbish-test');
    const second = await leading(await startOperator());
    await cluster.untilStatus('before-rubbish.test', 404);
    assert.ok((await head()).sequence > Math.max(...before));

    // The same with the operator there: it sees what was done to its objects, and makes them anew.
    const { chunks } = await head();
    const hosts = chunks.find(({ kind }) => kind === 'hosts')!;
    await cluster.api.call('DELETE', `${configMaps}/${chunkName(hosts)}`);
    await second.until(() => second.log.length > 0);
    for (;;) {
      const { status } = await cluster.api.call('GET', `${configMaps}/${chunkName(hosts)}`);
      if (status === 200) break;
      await moment();
    }
    await replaceHead('rubbish');
    await second.until(() => second.said('the head is unreadable'));
  });

  test('everything that was generated is deleted, with no operator there: it goes on from what the pods serve', async () => {
    const first = await leading(await startOperator());
    await converges('before-loss');
    await first.stop('SIGTERM');
    const before = await revisions();
    await cluster.api.kubectl(['delete', 'configmaps', '--all', '-n', 'flint-routes']);
    await Promise.all(loads.map((load) => load.more(100)));
    await leading(await startOperator());
    await converges('after-loss');
    assert.ok((await head()).sequence > Math.max(...before));
  });
});
