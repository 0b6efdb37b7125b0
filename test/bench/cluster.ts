// How long from an IngressRoute applied to its first answer from every data plane, and what operator and data planes
// weigh: idle, and with a thousand routes. Prints a table in Markdown.
//
//   make bench-cluster
import { readFileSync } from 'node:fs';
import { echoBackend } from '../e2e/backends.ts';
import { HttpClient } from '../e2e/http-client.ts';
import { service, simpleRoute } from '../e2e/manifests.ts';
import { TestCluster, backendAddress, moment, whyNoCluster } from '../cluster/test-cluster.ts';

const samples = 200;
const routes = 1000;

const missing = whyNoCluster();
if (missing !== undefined) {
  process.stderr.write(`no measurement: ${missing}\n`);
  process.exit(1);
}

const cluster = await TestCluster.start(3);
const operator = await cluster.startOperator();
await operator.until(() => operator.said('published'));
await cluster.untilProxiesReady();
const backend = await echoBackend({ after: () => {} }, 'bench', 0, backendAddress);
for (const object of service('bench', [backend.port], backendAddress)) await cluster.create(object);
await moment(5000);
const idle = memory();

const toRouted: number[] = [];
const toReady: number[] = [];
for (let number = 0; number < samples; number++) {
  const host = `sample-${number}.test`;
  const clients = await Promise.all(cluster.proxies.map(({ http }) => HttpClient.open(http)));
  const startedMs = performance.now();
  await cluster.create(simpleRoute(host, 'bench'));
  const routed = Promise.all(
    clients.map(async (client) => {
      for (;;) {
        client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
        if ((await client.answer()).status === 200) return;
        // Asking without a pause would take the two cores from those that are measured.
        await moment(2);
      }
    }),
  );
  await routed;
  toRouted.push(performance.now() - startedMs);
  while ((await cluster.condition(`sample-${number}-test`, 'Ready')) !== 'True Programmed') await moment(5);
  toReady.push(performance.now() - startedMs);
  for (const client of clients) client.close();
  // Changes that follow each other at once are published in steps; here each is one by itself.
  await moment(200);
}
for (let number = samples; number < routes; number++)
  await cluster.create(simpleRoute(`sample-${number}.test`, 'bench'));
await cluster.untilCondition(`sample-${routes - 1}-test`, 'Ready', 'True Programmed');
await moment(5000);
const loaded = memory();

process.stdout.write(
  [
    '| from applied to | p50 | p99 | of |',
    '|---|---|---|---|',
    `| 200 from all three data planes | ${percentile(toRouted, 50)} ms | ${percentile(toRouted, 99)} ms | ${samples} |`,
    `| Ready=True read back | ${percentile(toReady, 50)} ms | ${percentile(toReady, 99)} ms | ${samples} |`,
    '',
    '| resident memory | idle | 1000 routes |',
    '|---|---|---|',
    `| operator | ${idle.operator} MB | ${loaded.operator} MB |`,
    `| data plane, 2 workers | ${idle.proxy} MB | ${loaded.proxy} MB |`,
    '',
  ].join('\n'),
);
await cluster.stop();
process.exit(0);

function memory(): { readonly operator: number; readonly proxy: number } {
  const proxies = cluster.proxies.map(({ flint }) => residentMegabytes(flint.pid));
  return { operator: residentMegabytes(operator.pid), proxy: Math.max(...proxies) };
}

function residentMegabytes(pid: number): number {
  const [, kilobytes = '0'] = /VmRSS:\s+([0-9]+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Math.round(Number(kilobytes) / 1024);
}

function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? 0);
}
