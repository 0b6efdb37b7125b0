// Where the operator spends its time during one phase: the functions with the most time of their own. The profile itself
// opens in the developer tools of any Chromium.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { moment } from '../cluster/test-cluster.ts';
import type { ControlCluster } from './control-cluster.ts';
import type { Report } from './control-report.ts';
import { profiledPhase } from './control-settings.ts';
import type { Phase } from './control-settings.ts';

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const hook = new URL('control-profile-hook.ts', import.meta.url);
const file = '/tmp/flint-operator.cpuprofile';
const shown = 40;

/** What an operator must find in its environment to be profiled later. */
export const profileEnvironment: Readonly<Record<string, string>> =
  profiledPhase === '' ? {} : { NODE_OPTIONS: `--import=${hook.href}`, FLINT_PROFILE: file };

/** Does the work of a phase, and reports where the operator spent its time meanwhile if BENCH_PROFILE names that phase. */
export async function profiled(
  phase: Phase,
  { operator, routes }: ControlCluster,
  report: Report,
  work: () => Promise<void>,
): Promise<void> {
  if (phase !== profiledPhase) return work();
  rmSync(file, { force: true });
  operator.process.kill('SIGUSR2');
  await work();
  operator.process.kill('SIGUSR2');
  while (!existsSync(file)) await moment();
  report.progress(`${routes} routes: the operator while ${phase} was measured; more in ${file}`);
  for (const line of topFunctions(JSON.parse(readFileSync(file, 'utf8')) as Profile)) report.progress(line);
}

function topFunctions({ nodes, samples, timeDeltas }: Profile): readonly string[] {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
      id,
      `${functionName || '(anonymous)'} ${url.replace(/.*\/(?=src\/|node_modules\/)/, '')}:${lineNumber + 1}`,
    ]),
  );
  const selfMs = new Map<string, number>();
  let totalMs = 0;
  for (const [index, id] of samples.entries()) {
    const ms = (timeDeltas[index] ?? 0) / 1000;
    const name = names.get(id) ?? '';
    totalMs += ms;
    selfMs.set(name, (selfMs.get(name) ?? 0) + ms);
  }
  return [...selfMs]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, shown)
    .map(
      ([name, ms]) =>
        `${((ms / totalMs) * 100).toFixed(1).padStart(5)} % ${ms.toFixed(0).padStart(7)} ms  ${name}`,
    );
}
