// From a change to its effect in every data plane: one change at a time, and under a steady stream of them.
import { Pace } from '../cluster/pace.ts';
import { moment } from '../cluster/test-cluster.ts';
import type { ControlCluster } from './control-cluster.ts';
import { probeNamespace, steadyAddresses } from './control-cluster.ts';
import { kibibytesText, percentile, spread, whole } from './control-figures.ts';
import { plainHost, plainRoute, routeOf, slice, sliceOf } from './control-objects.ts';
import { profiled } from './control-profile.ts';
import type { Report, Section } from './control-report.ts';
import { changes, seconds } from './control-settings.ts';
import { WriteWatch } from './control-writes.ts';

const settleMs = 3000;
const pauseMs = 300;
const perSecond = 20;
/** One change in four is watched until it has its effect; the others are made to objects chosen at random. */
const probeEvery = 4;
/** Of each kind: with all of them under way at once, a change that should be watched is not made. */
const probes = 20;
/** Never the same twice in a row of moves: a chunk that was published before would cost nothing the second time. */
const movingAddresses = 1000;

export async function measureAtRest(scene: ControlCluster, report: Report): Promise<void> {
  await scene.createService('moving', [movedTo(0)]);
  await scene.create(plainRoute(probeNamespace, 'moving', 'moving'));
  await untilEverywhere(scene, plainHost('moving'), '/', movedTo(0));
  await moment(settleMs);
  const kinds = {
    'at rest: a new route': async (number: number) => {
      const name = `new-${number}`;
      const [tookMs] = await Promise.all([
        untilEverywhere(scene, plainHost(name), '/', steadyAddresses),
        scene.create(plainRoute(probeNamespace, name, 'steady')),
      ]);
      return tookMs;
    },
    'at rest: an endpoint that moves': async (number: number) => {
      const address = movedTo(number + 1);
      const [tookMs] = await Promise.all([
        untilEverywhere(scene, plainHost('moving'), '/', address),
        scene.replace(slice({ namespace: probeNamespace, service: 'moving', addresses: [address] })),
      ]);
      return tookMs;
    },
  };
  await profiled('rest', scene, report, async () => {
    for (const [section, change] of Object.entries(kinds))
      await measureSingle(scene, report, section as keyof typeof kinds, change);
  });
}

async function measureSingle(
  scene: ControlCluster,
  report: Report,
  section: Section,
  change: (number: number) => Promise<number>,
): Promise<void> {
  const add = (name: string, value: string, target?: string): void => {
    report.add(scene.routes, section, name, value, target);
  };
  const watch = await WriteWatch.open(scene.cluster.api);
  const before = await scene.writes();
  const cpu = scene.watchCpu();
  const tookMs: number[] = [];
  const bytes: number[] = [];
  for (let number = 0; number < changes; number++) {
    tookMs.push(await change(number));
    await moment(pauseMs);
    bytes.push(watch.take().bytes);
  }
  const after = await scene.writes();
  watch.close();
  const pods = scene.cluster.proxies.map(({ name }) => cpu.spentMs(name));
  add(`sent to routed by all, of ${changes}`, spread(tookMs), 'p50 < 30 ms, p99 < 100 ms at 5000');
  add(
    'written per change',
    `p50 ${kibibytesText(percentile(bytes, 50))}, max ${kibibytesText(Math.max(...bytes))}`,
    section === 'at rest: an endpoint that moves' ? '< 64 KiB' : '',
  );
  add(
    'writes per change: generated objects, status',
    `${perChange(after.published - before.published)}, ${perChange(after.statuses - before.statuses)}`,
  );
  add(
    'CPU per change: operator, largest data plane',
    `${perChange(cpu.spentMs('operator'))} ms, ${perChange(Math.max(...pods))} ms`,
  );
  add('others on the machine, of a core', `${whole(cpu.othersPercent)} %`);
}

/** Route paths and endpoints in turn, each second twenty, for as long as BENCH_SECONDS says. */
export async function measureSteady(scene: ControlCluster, report: Report): Promise<void> {
  const section = '20 changes a second';
  const add = (name: string, value: string, target?: string): void => {
    report.add(scene.routes, section, name, value, target);
  };
  const edits = await Promise.all(
    Array.from({ length: probes }, (_, index) => pathProbe(scene, `edit-${index}`)),
  );
  const moves = await Promise.all(
    Array.from({ length: probes }, (_, index) => moveProbe(scene, `move-${index}`)),
  );
  await moment(settleMs);
  const free: Readonly<Record<'edit' | 'move', Probe[]>> = { edit: edits, move: moves };
  const tookMs: Readonly<Record<'edit' | 'move', number[]>> = { edit: [], move: [] };
  let missed = 0;
  const watch = await WriteWatch.open(scene.cluster.api);
  const before = await scene.writes();
  const cpu = scene.watchCpu();
  const pace = new Pace({
    perSecond,
    most: 10 * perSecond,
    work: async (number) => {
      const kind = Math.floor(number / probeEvery) % 2 === 0 ? 'edit' : 'move';
      if (number % probeEvery !== 0) return changeAny(scene, number);
      const probe = free[kind].shift();
      if (probe === undefined) {
        missed++;
        return;
      }
      tookMs[kind].push(await probe());
      free[kind].push(probe);
    },
  });
  await profiled('steady', scene, report, () => moment(seconds * 1000));
  const written = watch.take();
  const pods = scene.cluster.proxies.map(({ name }) => cpu.percent(name));
  const names = ['kube-apiserver', 'etcd', 'this program'];
  const cells = {
    operator: `${whole(cpu.percent('operator'))} %`,
    pods: `${pods.map(whole).join(', ')} %`,
    rest: names.map((name) => `${whole(cpu.percent(name))} %`).join(', '),
    others: `${whole(cpu.othersPercent)} %`,
  };
  const after = await scene.writes();
  const { perSecond: reached, errors } = await pace.stop();
  watch.close();
  add('rate that was reached', `${reached.toFixed(1)}/s`);
  add(
    'a path sent to routed by all',
    `${spread(tookMs.edit)} (of ${tookMs.edit.length})`,
    'p99 < 100 ms at 5000',
  );
  add(
    'an endpoint sent to routed by all',
    `${spread(tookMs.move)} (of ${tookMs.move.length})`,
    'p99 < 100 ms at 5000',
  );
  add('CPU of the operator, of a core', cells.operator);
  add('CPU of the data planes, of a core', cells.pods);
  add('CPU of API server, etcd, this program', cells.rest);
  add('others on the machine, of a core', cells.others);
  add('revisions a second', (written.heads / seconds).toFixed(1));
  add('written per second', kibibytesText(written.bytes / seconds));
  add('writes of status per second', ((after.statuses - before.statuses) / seconds).toFixed(1));
  if (missed > 0)
    report.note(
      `${scene.routes} routes, ${section}: ${missed} changes were not made, since all probes were still waiting.`,
    );
  for (const error of errors.slice(0, 3)) report.note(`${scene.routes} routes, ${section}: ${error.message}`);
}

/** Makes its change and resolves to how long it took to be seen by all. */
type Probe = () => Promise<number>;

async function pathProbe(scene: ControlCluster, name: string): Promise<Probe> {
  let version = 0;
  await scene.create(plainRoute(probeNamespace, name, 'steady', `/v${version}`));
  await untilEverywhere(scene, plainHost(name), `/v${version}`, steadyAddresses);
  return async () => {
    const path = `/v${++version}`;
    const [tookMs] = await Promise.all([
      untilEverywhere(scene, plainHost(name), path, steadyAddresses),
      scene.patch(plainRoute(probeNamespace, name, 'steady', path)),
    ]);
    return tookMs;
  };
}

async function moveProbe(scene: ControlCluster, name: string): Promise<Probe> {
  let version = 0;
  await scene.createService(name, [movedTo(0)]);
  await scene.create(plainRoute(probeNamespace, name, name));
  await untilEverywhere(scene, plainHost(name), '/', movedTo(0));
  return async () => {
    const address = movedTo(++version);
    const [tookMs] = await Promise.all([
      untilEverywhere(scene, plainHost(name), '/', address),
      scene.replace(slice({ namespace: probeNamespace, service: name, addresses: [address] })),
    ]);
    return tookMs;
  };
}

function movedTo(number: number): string {
  const place = number % movingAddresses;
  return `10.213.${4 + Math.floor(place / 250)}.${1 + (place % 250)}`;
}

async function changeAny(scene: ControlCluster, number: number): Promise<void> {
  // A step that has no common factor with round numbers visits all, in an order that looks random.
  const any = (number * 7919) % scene.routes;
  if (number % 2 === 0) await scene.patch(routeOf(any, `/v1/${number}`));
  else await scene.replace(sliceOf(any, 'canary', number % 10));
}

/** Milliseconds from now until every data plane has sent a request to one of these addresses. */
async function untilEverywhere(
  { probers }: ControlCluster,
  host: string,
  path: string,
  addresses: string | readonly string[],
): Promise<number> {
  const startedMs = performance.now();
  const seen = await Promise.all(
    probers.map((prober) =>
      prober.until(host, path, ({ status, body }) => status === 200 && addresses.includes(body)),
    ),
  );
  return Math.max(...seen) - startedMs;
}

function perChange(count: number): string {
  return (count / changes).toFixed(1);
}
