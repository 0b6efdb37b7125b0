// The workloads: all sides stand side by side with the same routes, are loaded in turn, and leave a row each.
import { pause } from './lab.ts';
import type { Lab } from './lab.ts';
import { measure, residentMegabytes } from './measure.ts';
import type { Outcome } from './measure.ts';
import type { Proxy, Side } from './proxies.ts';
import { scenes } from './scene.ts';
import type { Scene, SceneName } from './scene.ts';
import { rounds, seconds } from './settings.ts';
import { megabytes, table, workloadHead, workloadRows } from './table.ts';
import { workloads } from './workloads.ts';
import type { Workload } from './workloads.ts';

/** Compilers warm up and pools fill; nothing of that is counted. */
const warmUpSeconds = Math.min(seconds, 2);

type Say = (line: string) => void;

/** One side with the routes of one scene; started again if it died, so that one bad row does not spoil the next. */
class Stand {
  readonly name: string;
  readonly #side: Side;
  readonly #scene: Scene;
  #proxy: Proxy | undefined = undefined;
  startMegabytes = Number.NaN;
  #whyNot = '';

  constructor(side: Side, scene: Scene) {
    this.name = side.name;
    this.#side = side;
    this.#scene = scene;
  }

  async start(): Promise<void> {
    try {
      this.#proxy = await this.#side.start(this.#scene);
      await pause(1000);
      this.startMegabytes = residentMegabytes(this.#proxy.running.pid);
    } catch (error) {
      this.#proxy = undefined;
      this.#whyNot = error instanceof Error ? error.message : String(error);
    }
  }

  async restartIfDead(): Promise<void> {
    if (this.#proxy === undefined || this.#proxy.running.isAlive()) return;
    await this.stop();
    await this.start();
  }

  async measure(lab: Lab, workload: Workload, forSeconds: number): Promise<Outcome> {
    if (this.#proxy === undefined) return { kind: 'ThrownOut', reason: `not started: ${this.#whyNot}` };
    return measure(lab, this.#proxy, workload, forSeconds);
  }

  /** Not a number when it is not running. */
  get megabytes(): number {
    return this.#proxy?.running.isAlive() === true ? residentMegabytes(this.#proxy.running.pid) : Number.NaN;
  }

  async stop(): Promise<void> {
    await this.#proxy?.running.stop();
    this.#proxy = undefined;
  }
}

export async function measureWorkloads(lab: Lab, sides: readonly Side[], say: Say): Promise<void> {
  if (workloads.length === 0) return;
  say(workloadHead);
  const memory: string[][] = [];
  for (const [name, scene] of Object.entries(scenes)) {
    const wanted = workloads.filter((workload) => workload.scene === (name as SceneName));
    if (wanted.length === 0) continue;
    const stands = sides.map((side) => new Stand(side, scene));
    for (const stand of stands) await stand.start();
    for (const workload of wanted) for (const row of await measureWorkload(lab, stands, workload)) say(row);
    for (const [index, stand] of stands.entries()) {
      const cells = [megabytes(stand.startMegabytes), megabytes(stand.megabytes)];
      memory.push([index === 0 ? scene.name : '', stand.name, ...cells]);
      await stand.stop();
    }
  }
  say('\nResident memory of these processes:\n');
  say(table(['routes', 'proxy', 'idle at the start', 'after all rows'], memory));
}

async function measureWorkload(
  lab: Lab,
  stands: readonly Stand[],
  workload: Workload,
): Promise<readonly string[]> {
  const rows = stands.map(({ name }) => ({ proxy: name, outcomes: [] as Outcome[] }));
  for (const stand of stands) {
    await stand.restartIfDead();
    await stand.measure(lab, workload, warmUpSeconds);
  }
  for (let round = 0; round < rounds; round++)
    for (const [index, stand] of stands.entries())
      rows[index]?.outcomes.push(await stand.measure(lab, workload, seconds));
  return workloadRows(workload.name, rows);
}
