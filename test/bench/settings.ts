// What the environment says about a run of the benchmarks.

/** Whom the ratios are to. */
export const reference = 'nginx';

export const rounds = countOf('BENCH_ROUNDS', 5);
export const seconds = countOf('BENCH_SECONDS', 4);

const wantedWorkloads = new RegExp(process.env['BENCH_ONLY'] ?? '');
const wantedProxies = new RegExp(process.env['BENCH_PROXIES'] ?? '');

export function isWorkloadWanted(name: string): boolean {
  return wantedWorkloads.test(name);
}

export function isProxyWanted(name: string): boolean {
  return wantedProxies.test(name);
}

function countOf(variable: string, otherwise: number): number {
  const count = Number(process.env[variable] ?? otherwise);
  if (Number.isInteger(count) && count > 0) return count;
  throw new Error(`${variable} is no whole number above zero`);
}
