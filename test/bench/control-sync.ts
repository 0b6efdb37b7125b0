// How long until everything is served: by data planes that wait for an operator, and by one that finds all published.
import { moment } from '../cluster/test-cluster.ts';
import type { ProxyPod } from '../cluster/test-cluster.ts';
import { cpuMsOf } from '../e2e/process-figures.ts';
import { headName } from '#model/wire-names.ts';
import type { ControlCluster } from './control-cluster.ts';
import {
  kibibytesText,
  megabytesText,
  percentile,
  residentMegabytes,
  secondsText,
  whole,
} from './control-figures.ts';
import { hostOf } from './control-objects.ts';
import type { Report } from './control-report.ts';
import { sizeOf } from './control-writes.ts';

const firstSync = 'first sync';
const start = 'start of a data plane';
const settleMs = 5000;
const pollMs = 20;
const withinMs = 600_000;

export async function measureFirstSync(scene: ControlCluster, report: Report): Promise<void> {
  const { cluster, probers, routes } = scene;
  const add = (name: string, value: string, target?: string): void => {
    report.add(routes, firstSync, name, value, target);
  };
  await scene.startOperator();
  const startedMs = performance.now();
  const cpu = scene.watchCpu();
  const served = Promise.all([
    ...cluster.proxies.map((pod) => untilServed(pod)),
    ...probers.map((prober) =>
      prober.until(hostOf(routes - 1), '/v1', ({ status }) => status === 200, withinMs),
    ),
  ]);
  served.catch(() => {});
  const ready = scene.untilAllReady().then(() => performance.now());
  add('start of the operator to served by all', secondsText(Math.max(...(await served)) - startedMs));
  add('CPU of the operator until served by all', secondsText(cpuMsOf(scene.operator.pid)));
  add('start of the operator to every route Ready', secondsText((await ready) - startedMs));
  const { published, statuses } = await scene.writes();
  add(
    'CPU until every route is Ready: operator, largest data plane',
    `${secondsText(cpuMsOf(scene.operator.pid))}, ${secondsText(largest(cluster.proxies, ({ name }) => cpu.spentMs(name)))}`,
  );
  add(
    'CPU of API server, etcd, this program',
    ['kube-apiserver', 'etcd', 'this program'].map((name) => secondsText(cpu.spentMs(name))).join(', '),
  );
  add('others on the machine, of a core', `${whole(cpu.othersPercent)} %`);
  add('writes of the publish', whole(published));
  const objects = await scene.published();
  const chunks = objects.filter(({ metadata }) => metadata.name !== headName);
  const head = objects.find(({ metadata }) => metadata.name === headName);
  add('chunks, their size', `${chunks.length}, ${kibibytesText(sum(chunks.map(sizeOf)))}`);
  add('size of the head', head === undefined ? '-' : kibibytesText(sizeOf(head)));
  add('writes of status', whole(statuses));
  add(
    'operator: highest, resident after 5 s',
    await memoryAfterRest(scene.operator.pid),
    '< 250 MB at 10,000',
  );
  const pods = cluster.proxies.map(({ flint }) => residentMegabytes(flint.pid));
  add(
    'largest data plane: highest, resident',
    `${megabytesText(Math.max(...pods.map(({ peak }) => peak)))}, ${megabytesText(Math.max(...pods.map(({ now }) => now)))}`,
    '< 120 MB at 10,000',
  );
  const readyCount = await scene.countReady();
  if (readyCount !== scene.routeCount)
    report.note(
      `${routes} routes: the API server has ${readyCount} routes that are Ready, not ${scene.routeCount}.`,
    );
}

/** Every one is killed and started anew, one after the other. */
export async function measureStarts(scene: ControlCluster, report: Report): Promise<void> {
  const { cluster, probers, routes } = scene;
  const add = (name: string, value: string, target?: string): void => {
    report.add(routes, start, name, value, target);
  };
  const tookMs: number[] = [];
  const spentMs: number[] = [];
  const peaks: number[] = [];
  for (const [index, pod] of cluster.proxies.entries()) {
    await cluster.restartProxy(pod);
    const startedMs = performance.now();
    const [isReadyMs, answeredMs] = await Promise.all([
      untilReady(pod),
      probers[index]?.until(hostOf(routes - 1), '/v1', ({ status }) => status === 200, withinMs),
    ]);
    tookMs.push(Math.max(isReadyMs, answeredMs ?? 0) - startedMs);
    spentMs.push(cpuMsOf(pod.flint.pid));
    peaks.push(residentMegabytes(pod.flint.pid).peak);
    await moment(1000);
  }
  await moment(settleMs);
  const resident = cluster.proxies.map(({ flint }) => residentMegabytes(flint.pid).now);
  add(
    'until it is ready and routes, of 3',
    `${secondsText(percentile(tookMs, 50))}, max ${secondsText(Math.max(...tookMs))}`,
  );
  add(
    'CPU until then, of 3',
    `${secondsText(percentile(spentMs, 50))}, max ${secondsText(Math.max(...spentMs))}`,
  );
  add(
    'highest until then, resident after 5 s',
    `${megabytesText(Math.max(...peaks))}, ${megabytesText(Math.max(...resident))}`,
    '< 120 MB at 10,000',
  );
  await cluster.untilProxiesReady();
}

/** A worker may lack it when the main thread has it: what counts is the revision that all of them serve. */
async function untilServed(pod: ProxyPod): Promise<number> {
  for (;;) {
    const { sequence } = (await (await pod.admin('/revision')).json()) as { readonly sequence: number };
    if (sequence > 0) return performance.now();
    await moment(pollMs);
  }
}

async function untilReady(pod: ProxyPod): Promise<number> {
  for (;;) {
    const isReady = await pod.admin('/readyz').then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return performance.now();
    await moment(pollMs);
  }
}

async function memoryAfterRest(pid: number): Promise<string> {
  await moment(settleMs);
  const { now, peak } = residentMegabytes(pid);
  return `${megabytesText(peak)}, ${megabytesText(now)}`;
}

function largest<T>(values: readonly T[], sizeOfOne: (value: T) => number): number {
  return Math.max(...values.map(sizeOfOne));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
