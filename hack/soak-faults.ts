// The faults of a soak: one after the other, by chance, from a seed that brings the same ones again.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { killWorker } from '../test/chaos/worker-deaths.ts';
import { FloodClient } from '../test/e2e/flood-client.ts';
import type { FlintProcess } from '../test/e2e/flint-process.ts';
import { Random } from '../test/fuzz/random.ts';
import type { SoakBackends } from './soak-backends.ts';
import type { Killing } from './soak-judgement.ts';
import { host } from './soak-orders.ts';
import type { Mood } from './soak-orders.ts';
import type { SoakScene } from './soak-scene.ts';

/** What a bad endpoint has before it is good again. */
const badMs = 2000;
const stallMs = 3000;
const slowReaders = 20;
const mostFloodRounds = 1000;
/** From the moment when Flint knows of a death to the end of the dead thread's last connection, on a machine that is busy. */
const deathMs = 5000;

/** Lines of the log by which Flint says that a worker is gone. */
export function isDeath({ msg }: Readonly<Record<string, unknown>>): boolean {
  return String(msg).startsWith('a worker died');
}

export interface FaultScene {
  readonly flint: FlintProcess;
  readonly backends: SoakBackends;
  readonly scene: SoakScene;
  /** Takes a thread of Flint when it is written. */
  readonly deathFile: string;
}

export class SoakFaults {
  readonly killings: Killing[] = [];
  /** Fault -> how often. */
  readonly counts = new Map<string, number>();
  /** When each began, and its name. */
  readonly history: (readonly [atMs: number, name: string])[] = [];
  readonly #on: FaultScene;
  readonly #random: Random;
  readonly #list: readonly (readonly [name: string, act: () => Promise<void>])[];

  /** Of those whose names match `only`. */
  constructor(on: FaultScene, seed: number, only: RegExp) {
    this.#on = on;
    this.#random = new Random(seed);
    const all: readonly (readonly [name: string, act: () => Promise<void>])[] = [
      ['endpoint killed and restarted', () => this.#kill(on.backends.http)],
      ['gRPC endpoint killed and restarted', () => this.#kill(on.backends.grpc)],
      ['backend resets', () => this.#spoil('resets')],
      ['backend hangs', () => this.#spoil('hangs')],
      ['backend sends garbage', () => this.#spoil('garbage')],
      ['backend sends more than it was asked for', () => this.#spoil('poison')],
      ['backend is slow', () => this.#spoil('slow')],
      ['backend breaks amid bodies', () => this.#spoil('breaks')],
      ['routes changed', () => this.#change(() => on.scene.changeRoutes())],
      ['TLS pair renewed', () => this.#change(() => on.scene.renewPair())],
      ['endpoint removed and added', () => this.#leaveOut(on.backends.http)],
      ['gRPC endpoint removed and added', () => this.#leaveOut(on.backends.grpc)],
      ['flood of HTTP/2 resets', () => this.#flood()],
      ['clients that read nothing', () => this.#readNothing()],
      ['worker killed', () => this.#killWorker()],
    ];
    this.#list = all.filter(([name]) => only.test(name));
  }

  /** One of them, from its beginning to its end. */
  async next(): Promise<void> {
    const [name, act] = this.#random.oneOf(this.#list);
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    this.history.push([Math.round(performance.now()), name]);
    await act();
  }

  async #spoil(mood: Mood): Promise<void> {
    const port = this.#random.oneOf(this.#on.backends.http);
    await this.#on.backends.order(port, mood);
    await pause(badMs);
    await this.#on.backends.order(port, 'healthy');
  }

  async #kill(ports: readonly number[]): Promise<void> {
    const port = this.#random.oneOf(ports);
    const fromMs = performance.now();
    await this.#on.backends.order(port, 'down');
    // What it has reset may be told a little later, by a machine that is busy.
    this.killings.push({ port, fromMs, toMs: performance.now() + 100 });
    await pause(badMs);
    await this.#on.backends.order(port, 'healthy');
  }

  async #killWorker(): Promise<void> {
    const fromMs = performance.now();
    const { flint, deathFile } = this.#on;
    const deaths = flint.log.filter(isDeath).length;
    if (!(await killWorker(deathFile))) throw new Error('no thread of Flint has died');
    await flint.until(() => flint.log.filter(isDeath).length > deaths);
    this.killings.push({ port: 0, fromMs, toMs: performance.now() + deathMs });
    await pause(badMs);
  }

  async #change(change: () => void): Promise<void> {
    change();
    await this.#on.flint.apply(this.#on.scene.manifests);
  }

  async #leaveOut(ports: readonly number[]): Promise<void> {
    const port = this.#random.oneOf(ports);
    await this.#change(() => this.#on.scene.leaveOut(port));
    await pause(badMs);
    await this.#change(() => this.#on.scene.leaveOut(0));
  }

  async #flood(): Promise<void> {
    const closes: (() => void)[] = [];
    const client = new FloodClient({ after: (close) => closes.push(close) }, this.#on.flint.httpPort);
    for (let round = 0; round < mostFloodRounds && !client.isClosed && client.goAway === undefined; round++)
      await client.flood('50 times: GET next /tiny; RST_STREAM last CANCEL');
    for (const close of closes) close();
    if (client.goAway === undefined && !client.isClosed) throw new Error('a flood was not ended');
  }

  /** They ask for much, read none of it, and go away. */
  async #readNothing(): Promise<void> {
    const sockets: Socket[] = [];
    for (let number = 0; number < slowReaders; number++) {
      const socket = connect({ port: this.#on.flint.httpPort, host: '127.0.0.1' });
      socket.on('error', () => {});
      socket.pause();
      socket.write(`GET /8m HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      sockets.push(socket);
    }
    await pause(stallMs);
    for (const socket of sockets) socket.destroy();
  }
}
