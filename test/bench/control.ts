// What Flint's control plane costs and how fast it is, at several sizes of a cluster. Prints tables in Markdown.
//
//   make bench-control
//   BENCH_ROUTES=1000 BENCH_ONLY='rest|steady' make bench-control
//   BENCH_ROUTES=5000 BENCH_ONLY=steady BENCH_PROFILE=steady make bench-control
import { basename } from 'node:path';
import { kubeAssets } from '../cluster/api-server.ts';
import { whyNoCluster } from '../cluster/test-cluster.ts';
import { measureAtRest, measureSteady } from './control-changes.ts';
import { ControlCluster } from './control-cluster.ts';
import { megabytesText, residentMegabytes, whole } from './control-figures.ts';
import { measureFlapping } from './control-flapping.ts';
import { Report, describeRun } from './control-report.ts';
import { flapSizes, isPhaseWanted, sizes } from './control-settings.ts';
import type { Phase } from './control-settings.ts';
import { measureFirstSync, measureStarts } from './control-sync.ts';

const missing = whyNoCluster();
if (missing !== undefined) {
  process.stderr.write(`no measurement: ${missing}\n`);
  process.exit(1);
}

const phases: Readonly<Record<Phase, (scene: ControlCluster, report: Report) => Promise<void>>> = {
  start: measureStarts,
  rest: measureAtRest,
  steady: measureSteady,
  flapping: measureFlapping,
};

const report = new Report(sizes);
const startedMs = performance.now();
let isBroken = false;
for (const size of sizes) {
  const scene = await ControlCluster.start(size);
  try {
    await measure(scene);
  } catch (error) {
    isBroken = true;
    report.note(
      `${size} routes: broken off: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    for (const line of scene.lastWords()) report.note(line);
  }
  await scene.stop();
}
const assets = kubeAssets();
report.note(`The whole run took ${whole((performance.now() - startedMs) / 1000)} s.`);
process.stdout.write(
  `${describeRun('folder' in assets ? basename(assets.folder) : '')}\n\n${report.markdown}\n`,
);
process.exit(isBroken ? 1 : 0);

async function measure(scene: ControlCluster): Promise<void> {
  const size = scene.routes;
  const { objects, tookMs } = await scene.fill((created) =>
    report.progress(`${size} routes: ${created} objects created`),
  );
  report.add(
    size,
    'cluster',
    'objects created before anything ran',
    `${objects}, ${whole(objects / (tookMs / 1000))}/s`,
  );
  await scene.startDataPlanes();
  await measureFirstSync(scene, report);
  for (const [phase, run] of Object.entries(phases) as [Phase, (typeof phases)[Phase]][]) {
    if (!isPhaseWanted(phase) || (phase === 'flapping' && !flapSizes.includes(size))) continue;
    await run(scene, report);
  }
  const pods = scene.cluster.proxies.map(({ flint }) => residentMegabytes(flint.pid).now);
  const operator = residentMegabytes(scene.operator.pid).now;
  report.add(size, 'at the end', 'operator resident', megabytesText(operator), '< 250 MB at 10,000');
  report.add(
    size,
    'at the end',
    'largest data plane resident',
    megabytesText(Math.max(...pods)),
    '< 120 MB at 10,000',
  );
}
