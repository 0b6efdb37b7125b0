// What each way of balancing costs where endpoints are not alike: a simulation with the code that serves, no network.
//
//   hack/runtime node test/bench/balancing.ts
//
// Requests arrive at random (Poisson) at 70 % of what all endpoints can take together; each endpoint serves one at a time, in an
// exponential time. Shown is how long requests take, waiting included, in units of the usual service time.
import { plainBackend } from '#model/plain-terms.ts';
import type { LoadBalancing } from '#model/route-model.ts';
import type { Endpoint } from '#upstream/endpoint.ts';
import { alone } from '#upstream/surroundings.ts';
import { Upstream } from '#upstream/upstream.ts';

const requests = 200_000;
const load = 0.7;

/** The time that each endpoint needs for a request, on average. */
const scenes: Readonly<Record<string, readonly number[]>> = {
  '10 alike': Array.from({ length: 10 }, () => 1),
  'one of 10 three times as slow': [...Array.from({ length: 9 }, () => 1), 3],
  'half of 10 twice as slow': [...Array.from({ length: 5 }, () => 1), ...Array.from({ length: 5 }, () => 2)],
};

function exponential(mean: number): number {
  return -mean * Math.log(1 - Math.random());
}

/** Durations, sorted. `workers`: each picks by what it has sent itself. */
function simulate(
  loadBalancing: LoadBalancing,
  means: readonly number[],
  workers: number,
): readonly number[] {
  const endpoints = means.map((_, index) => ({
    address: `10.0.0.${index}`,
    port: 80,
    state: 'Ready' as const,
  }));
  const upstreams = Array.from(
    { length: workers },
    () => new Upstream({ id: 'x/s:80', loadBalancing, ...plainBackend, endpoints, zoneHints: [] }, alone),
  );
  const rate = load * means.reduce((sum, mean) => sum + 1 / mean, 0);
  const freeAt = means.map(() => 0);
  const running: { readonly endMs: number; readonly endpoint: Endpoint }[] = [];
  const durations: number[] = [];
  let now = 0;
  for (let request = 0; request < requests; request++) {
    now += exponential(1 / rate);
    for (let index = running.length - 1; index >= 0; index--)
      if (running[index]!.endMs <= now) {
        running[index]!.endpoint.leave();
        running.splice(index, 1);
      }
    const endpoint = upstreams[request % workers]!.pick([])!;
    endpoint.enter();
    const at = Number(endpoint.address.split('.')[3]);
    const endMs = Math.max(now, freeAt[at]!) + exponential(means[at]!);
    freeAt[at] = endMs;
    running.push({ endMs, endpoint });
    durations.push(endMs - now);
  }
  return durations.sort((a, b) => a - b);
}

function percentile(sorted: readonly number[], share: number): string {
  return sorted[Math.floor(sorted.length * share)]!.toFixed(1);
}

process.stdout.write('| endpoints | workers | balancing | p50 | p99 | p99.9 |\n');
process.stdout.write('|---|---|---|---|---|---|\n');
for (const [name, means] of Object.entries(scenes))
  for (const workers of [1, 8])
    for (const loadBalancing of ['RoundRobin', 'LeastRequests'] as const) {
      const sorted = simulate(loadBalancing, means, workers);
      const figures = [0.5, 0.99, 0.999].map((share) => percentile(sorted, share));
      process.stdout.write(`| ${[name, workers, loadBalancing, ...figures].join(' | ')} |\n`);
    }
