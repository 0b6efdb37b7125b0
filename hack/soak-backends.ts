// The process of the backends, as the soak sees it: what they were told, and what they have done to whom.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Harm, Mood, Report } from './soak-orders.ts';

const root = new URL('../', import.meta.url).pathname;

export class SoakBackends {
  http: readonly number[] = [];
  grpc: readonly number[] = [];
  /** By the names of requests. Whoever has looked may clear it. */
  readonly harms = new Map<string, Harm>();
  readonly #child: ChildProcess;
  #onObeyed: (() => void) | undefined = undefined;
  #onListening: (() => void) | undefined = undefined;

  private constructor() {
    this.#child = spawn(`${root}hack/runtime`, ['node', `${root}hack/soak-backend.ts`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      this.#take(JSON.parse(line) as Report);
    });
  }

  static async start(): Promise<SoakBackends> {
    const backends = new SoakBackends();
    await new Promise<void>((resolve) => {
      backends.#onListening = resolve;
    });
    return backends;
  }

  /** Resolves when the endpoint is as told. One order at a time. */
  async order(port: number, mood: Mood): Promise<void> {
    this.#child.stdin?.write(`${JSON.stringify({ port, mood })}\n`);
    await new Promise<void>((resolve) => {
      this.#onObeyed = resolve;
    });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #take(report: Report): void {
    switch (report.kind) {
      case 'Harm':
        this.harms.set(report.id, report);
        return;
      case 'Obeyed':
        this.#onObeyed?.();
        return;
      case 'Listening':
        this.http = report.http;
        this.grpc = report.grpc;
        this.#onListening?.();
        return;
    }
  }
}
