// What the environment says about a run of `make bench-control`.

/** IngressRoutes, one run of all phases for each. */
export const sizes = countsOf('BENCH_ROUTES', [10, 1000, 5000, 10_000]);
/** Of changes at a steady rate. */
export const seconds = countOf('BENCH_SECONDS', 30);
/** Of flapping endpoints, at which rate, and with how many routes: a minute of it for each size would be too long. */
export const flapSeconds = countOf('BENCH_FLAP_SECONDS', 60);
export const flapRate = countOf('BENCH_FLAP_RATE', 1000);
export const flapSizes = countsOf('BENCH_FLAP_ROUTES', [
  sizes.findLast((size) => size <= 5000) ?? sizes[0] ?? 10,
]);
/** Single changes at rest, of each kind. */
export const changes = countOf('BENCH_CHANGES', 100);
/** During this phase (rest, steady, flapping) the operator's functions are profiled. */
export const profiledPhase = process.env['BENCH_PROFILE'] ?? '';

export type Phase = 'start' | 'rest' | 'steady' | 'flapping';

const wantedPhases = new RegExp(process.env['BENCH_ONLY'] ?? '');

export function isPhaseWanted(phase: Phase): boolean {
  return wantedPhases.test(phase);
}

function countOf(variable: string, otherwise: number): number {
  const [count = otherwise] = countsOf(variable, [otherwise]);
  return count;
}

function countsOf(variable: string, otherwise: readonly number[]): readonly number[] {
  const text = process.env[variable];
  const counts = text === undefined ? otherwise : text.split(',').map(Number);
  if (counts.length > 0 && counts.every((count) => Number.isInteger(count) && count > 0)) return counts;
  throw new Error(`${variable} must be whole numbers above zero, with commas between them`);
}
