// How long a process needs until it accepts connections, and what it weighs then, with one route and with 10,000.
import { pause } from './lab.ts';
import { residentMegabytes } from './measure.ts';
import type { Side } from './proxies.ts';
import { scenes } from './scene.ts';
import type { Scene } from './scene.ts';
import { rounds } from './settings.ts';
import { cell, median, megabytes, milliseconds, table } from './table.ts';

interface Start {
  readonly listeningMs: number;
  readonly megabytes: number;
}

export async function measureStarts(sides: readonly Side[], say: (line: string) => void): Promise<void> {
  say(
    '\nFrom the start of the process to its first accepted connection, and resident memory a second later:\n',
  );
  const rows: string[][] = sides.map(({ name }) => [name]);
  for (const scene of [scenes.one, scenes.tenThousand]) {
    const starts = new Map<Side, Start[]>(sides.map((side) => [side, []]));
    const faults = new Map<Side, string>();
    for (let round = 0; round < rounds; round++)
      for (const side of sides)
        try {
          starts.get(side)?.push(await measureStart(side, scene));
        } catch (error) {
          faults.set(side, error instanceof Error ? error.message : String(error));
        }
    for (const [index, side] of sides.entries())
      rows[index]?.push(...cellsOf(starts.get(side), faults.get(side)));
  }
  say(table(['proxy', '1 route', 'memory', '10,000 routes', 'memory'], rows));
}

async function measureStart(side: Side, scene: Scene): Promise<Start> {
  const { running, listeningMs } = await side.start(scene);
  await pause(1000);
  const start = { listeningMs, megabytes: residentMegabytes(running.pid) };
  await running.stop();
  return start;
}

function cellsOf(starts: readonly Start[] = [], fault: string | undefined): readonly string[] {
  if (fault !== undefined) return [`thrown out: ${cell(fault)}`, ''];
  const listeningMs = median(starts.map((start) => start.listeningMs));
  return [milliseconds(listeningMs), megabytes(median(starts.map((start) => start.megabytes)))];
}
