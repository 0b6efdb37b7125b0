// The figures of a run: tables with a row for each figure and a column for each size, printed at the end; and each figure
// on standard error as soon as it is known, so that a run that breaks off leaves something.
import { cpus, release, totalmem } from 'node:os';
import { spawnSync } from 'node:child_process';
import { table } from './table.ts';

const root = new URL('../../', import.meta.url).pathname;

/** In the order in which they are measured and printed. */
const sections = [
  'cluster',
  'first sync',
  'start of a data plane',
  'at rest: a new route',
  'at rest: an endpoint that moves',
  '20 changes a second',
  'flapping endpoints',
  'at the end',
] as const;

export type Section = (typeof sections)[number];

interface Figure {
  readonly section: Section;
  readonly name: string;
  readonly target: string;
  readonly values: Map<number, string>;
}

export class Report {
  readonly #sizes: readonly number[];
  readonly #figures: Figure[] = [];
  readonly #notes: string[] = [];

  constructor(sizes: readonly number[]) {
    this.#sizes = sizes;
  }

  add(size: number, section: Section, name: string, value: string, target = ''): void {
    let figure = this.#figures.find((each) => each.section === section && each.name === name);
    if (figure === undefined) {
      figure = { section, name, target, values: new Map() };
      this.#figures.push(figure);
    }
    figure.values.set(size, value);
    this.progress(`${size} routes | ${section} | ${name} | ${value}`);
  }

  note(text: string): void {
    this.#notes.push(text);
    this.progress(text);
  }

  progress(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  get markdown(): string {
    const head = this.#sizes.map((size) => `${size} routes`);
    const tables = sections.flatMap((section) => {
      const figures = this.#figures.filter((figure) => figure.section === section);
      if (figures.length === 0) return [];
      const rows = figures.map(({ name, target, values }) => [
        name,
        ...this.#sizes.map((size) => values.get(size) ?? ''),
        target,
      ]);
      return table([section, ...head, 'goal'], rows);
    });
    return [...tables, ...this.#notes.map((text) => `- ${text}`)].join('\n\n');
  }
}

/** What a run was measured on: figures without it mean nothing. */
export function describeRun(assets: string): string {
  const [cpu] = cpus();
  const gigabytes = (totalmem() / 2 ** 30).toFixed(0);
  const bun = firstLine('hack/runtime', 'bun', '--version');
  const flint = firstLine('git', '--no-optional-locks', 'describe', '--always', '--dirty');
  return [
    `${new Date().toISOString().slice(0, 10)}. ${cpu?.model.trim() ?? 'an unknown CPU'}, ${cpus().length} cores, ${gigabytes} GB of memory, Linux ${release()}. Operator on Node ${process.version}, data planes on ${process.env['FLINT_RUNTIME'] ?? 'bun'} (Bun ${bun}), Flint ${flint}, ${assets}.`,
    'API server, etcd (without fsync), operator, three data planes of two workers each, the backend and this program share these cores. API server and etcd run with GOGC=400, since they would have cores of their own elsewhere. Per route two headless Services, each with one EndpointSlice of ten endpoints.',
  ].join('\n\n');
}

function firstLine(command: string, ...args: readonly string[]): string {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', cwd: root });
  return status === 0 ? (stdout.split('\n')[0] ?? '') : 'of unknown version';
}
