// Endpoints that come and go a thousand times a second, under requests that must not notice.
import { Flips } from '../cluster/flips.ts';
import { Pace } from '../cluster/pace.ts';
import { moment } from '../cluster/test-cluster.ts';
import type { ControlCluster } from './control-cluster.ts';
import { probeNamespace } from './control-cluster.ts';
import { megabytesText, percentile, residentMegabytes, spread, whole } from './control-figures.ts';
import type { CpuWatch } from './control-figures.ts';
import { RequestLoad } from './control-load.ts';
import { pathOf, plainHost, plainRoute, plainService, slice, sliceOf } from './control-objects.ts';
import type { EndpointSlice } from './control-objects.ts';
import { profiled } from './control-profile.ts';
import type { Report } from './control-report.ts';
import { flapRate, flapSeconds } from './control-settings.ts';
import { StandIn } from './control-stand-in.ts';
import type { StoredSlice } from './control-stand-in.ts';
import { WriteWatch } from './control-writes.ts';

const section = 'flapping endpoints';
const settleMs = 5000;
const flipEveryMs = 500;
const flipPauseMs = 5;
const requestsPerSecond = 200;
/** At most so many EndpointSlices flap: at 1000 changes a second each of them ten times a second. */
const mostSlices = 100;
const loadNames = ['CPU of the operator, of a core', 'CPU of the data planes, of a core'] as const;

interface Flapping {
  readonly stored: StoredSlice;
  /** The same slice with one endpoint or another not ready; the first one always is. */
  readonly states: readonly (readonly unknown[])[];
}

export async function measureFlapping(scene: ControlCluster, report: Report): Promise<void> {
  const { cluster, routes } = scene;
  const add = (name: string, value: string, target?: string): void => {
    report.add(routes, section, name, value, target);
  };
  await createMixed(scene);
  const standIn = await StandIn.start(cluster.api);
  try {
    await scene.operator.stop('SIGTERM');
    await scene.startOperator({ url: standIn.url, caFile: standIn.caFile });
    await scene.untilAllReady();
    const flapping = await flappingSlices(scene);
    const flipping = await stored(scene, flippingSlice(Flips.addressAt(0)));
    await moment(settleMs);

    const before = memory(scene);
    const targets = cluster.proxies.map(({ http }) => http);
    const load = new RequestLoad(targets, requestsPerSecond, ['steady', 'mixed'].map(plainHost));
    const flips = new Flips(cluster.proxies, plainHost('flip'), flipPauseMs);
    const quiet = scene.watchCpu();
    await moment(settleMs);
    add('CPU of operator; data planes under the requests alone', cpuCells(scene, quiet).join('; '));

    const watch = await WriteWatch.open(cluster.api);
    const cpu = scene.watchCpu();
    let unreadBytes = 0;
    const flipTimer = setInterval(() => {
      unreadBytes = Math.max(unreadBytes, standIn.unreadBytes);
      void flips.flip((address) => standIn.change(flipping, flippingSlice(address).endpoints));
    }, flipEveryMs);
    const pace = new Pace({
      perSecond: flapRate,
      most: 1,
      work: (number) => {
        const each = flapping[number % flapping.length];
        // In no order that repeats: a chunk that was published before would cost nothing the second time.
        const state = each?.states[Math.floor(Math.random() * each.states.length)];
        if (each !== undefined && state !== undefined) standIn.change(each.stored, state);
      },
    });
    await profiled('flapping', scene, report, () => moment(flapSeconds * 1000));
    const spent = cpuCells(scene, cpu);
    const written = watch.take();
    clearInterval(flipTimer);
    const { perSecond } = await pace.stop();
    const staleMs = await flips.end();
    const { requests, failed, failures, tookMs } = await load.stop();
    watch.close();

    add('changes a second, of slices', `${perSecond.toFixed(0)}, ${flapping.length}`, '1000');
    add('requests, failed', `${requests}, ${failed}`, '0 failed');
    add('requests took', spread(tookMs, [50, 99]));
    add(`staleness`, `${spread(staleMs)} (of ${staleMs.length})`, 'p99 < 700 ms');
    for (const [index, name] of loadNames.entries()) add(name, spent[index] ?? '', '< 30 %');
    add(
      'CPU of API server, etcd, this program',
      ['kube-apiserver', 'etcd', 'this program'].map((name) => `${whole(cpu.percent(name))} %`).join(', '),
    );
    add('others on the machine, of a core', `${whole(cpu.othersPercent)} %`);
    add('revisions a second', (written.heads / flapSeconds).toFixed(1));
    add('written per second', `${(written.bytes / flapSeconds / 1024).toFixed(0)} KiB`);
    add('watch events not read in time', `${(unreadBytes / 1024).toFixed(0)} KiB at most`);
    await moment(settleMs);
    const after = memory(scene);
    add('operator, largest data plane resident before', before);
    add('operator, largest data plane resident after', after);
    if (failed > 0) report.note(`${routes} routes, ${section}: ${failures.join('; ')}`);
    if (percentile(staleMs, 99) > flapSeconds * 1000) report.note(`${routes} routes: never caught up`);
  } finally {
    standIn.stop();
  }
}

/** A Service of two slices: one endpoint that never changes, and nine that flap. */
async function createMixed(scene: ControlCluster): Promise<void> {
  await scene.create(plainService(probeNamespace, 'mixed'));
  const shape = { namespace: probeNamespace, service: 'mixed' };
  await scene.create(slice({ ...shape, suffix: 'still', addresses: ['10.213.2.10'] }));
  await scene.create(mixedSlice());
  await scene.create(plainRoute(probeNamespace, 'mixed', 'mixed'));
  await scene.untilAllReady();
}

function mixedSlice(unreadyIndex = -1): EndpointSlice {
  const addresses = Array.from({ length: 9 }, (_, index) => `10.213.2.${11 + index}`);
  return slice({ namespace: probeNamespace, service: 'mixed', suffix: 'flaps', addresses, unreadyIndex });
}

function flippingSlice(address: string): EndpointSlice {
  return slice({ namespace: probeNamespace, service: 'flip', addresses: [address] });
}

async function flappingSlices(scene: ControlCluster): Promise<readonly Flapping[]> {
  const makers = Array.from(
    { length: Math.min(mostSlices, scene.routes) },
    (_, number) => (unreadyIndex: number) => sliceOf(number, 'canary', unreadyIndex),
  );
  return Promise.all(
    [mixedSlice, ...makers].map(async (make) => ({
      stored: await stored(scene, make(-1)),
      states: Array.from({ length: 8 }, (_, index) => make(index + 1).endpoints),
    })),
  );
}

function stored({ api }: ControlCluster, object: EndpointSlice): Promise<StoredSlice> {
  return api.get<StoredSlice>(pathOf(object));
}

function cpuCells({ cluster }: ControlCluster, cpu: CpuWatch): readonly [string, string] {
  const pods = cluster.proxies.map(({ name }) => whole(cpu.percent(name)));
  return [`${whole(cpu.percent('operator'))} %`, `${pods.join(', ')} %`];
}

function memory({ cluster, operator }: ControlCluster): string {
  const pods = cluster.proxies.map(({ flint }) => residentMegabytes(flint.pid).now);
  return `${megabytesText(residentMegabytes(operator.pid).now)}, ${megabytesText(Math.max(...pods))}`;
}
