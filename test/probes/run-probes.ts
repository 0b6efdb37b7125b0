// `make probes`: every fault against Flint on both runtimes, nginx and haproxy, and the table of docs/reliability.md from it.
//
//   PROBES_ONLY='slow'  only probes whose name matches: their rows alone are written
//   PROBES_SIDES='Bun'  only these sides: nothing is written
import { readFileSync, writeFileSync } from 'node:fs';
import { describeMachine } from '../bench/machine.ts';
import { cell, table } from '../bench/table.ts';
import { probes } from './all-probes.ts';
import { Cleanups } from './cleanups.ts';
import type { Outcome, Probe } from './probe.ts';
import { flintOn, haproxy, isInstalled, nginx } from './side.ts';
import type { Side } from './side.ts';

const say = (line: string): boolean => process.stdout.write(`${line}\n`);
const page = new URL('../../docs/reliability.md', import.meta.url);
const begin = '<!-- written by make probes: begin -->';
const end = '<!-- written by make probes: end -->';

const sidesByProgram: readonly (readonly [program: string | undefined, side: Side])[] = [
  [undefined, flintOn('bun')],
  [undefined, flintOn('node')],
  ['nginx', nginx],
  ['haproxy', haproxy],
];
const wantedProbes = new RegExp(process.env['PROBES_ONLY'] ?? '');
const wantedSides = new RegExp(process.env['PROBES_SIDES'] ?? '');

// A run that is broken off must not leave processes behind.
let cleanups = new Cleanups();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    cleanups.run();
    process.exit(1);
  });

const missing = sidesByProgram.flatMap(([program]) =>
  program === undefined || isInstalled(program) ? [] : [program],
);
for (const program of missing)
  say(`SKIPPED: ${program} is not installed; with Debian: apt-get install ${program}`);
const sides = sidesByProgram.flatMap(([program, side]) =>
  (program !== undefined && missing.includes(program)) || !wantedSides.test(side.name) ? [] : [side],
);

/** Fault -> its row. */
const rows = new Map<string, string>();
const broken: string[] = [];
for (const probe of probes.filter(({ name }) => wantedProbes.test(name))) {
  const row = [cell(probe.fault), cell(probe.promise)];
  for (const side of sides) {
    const outcome = await outcomeOf(probe, side);
    const words = wordsOf(outcome);
    say(`${probe.name} | ${side.name} | ${words}`);
    row.push(cell(words));
    if (side.name.startsWith('Flint'))
      for (const breach of outcome.breaches) broken.push(`${probe.name}: ${side.name}: ${breach}`);
  }
  rows.set(cell(probe.fault), `| ${row.join(' | ')} |`);
}
if (sides.length === sidesByProgram.length) writePage();
else say('docs/reliability.md stays as it is: not all sides were run');
for (const breach of broken) say(`FAILED: ${breach}`);
process.exit(broken.length === 0 ? 0 : 1);

async function outcomeOf(probe: Probe, side: Side): Promise<Outcome> {
  cleanups = new Cleanups();
  try {
    return await probe.run(side, cleanups, 'Full');
  } catch (error) {
    return { figures: [], breaches: [`the probe failed: ${String(error)}`] };
  } finally {
    cleanups.run();
  }
}

function wordsOf({ figures, breaches }: Outcome): string {
  const verdict = breaches.length === 0 ? '**kept**' : '**not kept**';
  return `${verdict}: ${(figures.length === 0 ? breaches : figures).join('; ')}`;
}

/** Rows of probes that were not run this time stay as they are; those of probes that are no more go. */
function writePage(): void {
  const text = readFileSync(page, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error('docs/reliability.md has no block to write');
  for (const line of text.slice(from, to).split('\n')) {
    const [, fault = ''] = line.split('|').map((part) => part.trim());
    if (!rows.has(fault)) rows.set(fault, line);
  }
  const head = table(['fault', 'what Flint promises', ...sides.map(({ name }) => name)], []);
  const body = probes.flatMap(({ fault }) => rows.get(cell(fault)) ?? []);
  const block = [describeMachine(), '', head, ...body].join('\n');
  writeFileSync(page, `${text.slice(0, from)}${begin}\n\n${block}\n\n${text.slice(to)}`);
  say('docs/reliability.md is written');
}
