// An open-loop generator: requests leave at a fixed rate whatever the answers do, and each latency counts from the moment
// at which its request was due. A proxy that stalls is charged with all that it kept waiting (no coordinated omission).
//
//   hack/runtime bun test/bench/open-loop.ts '{"port":8080,"seconds":4,"rate":5000,"connections":64,...}'
//
// It runs on Bun for its cheap sockets, prints an OpenLoopReport as JSON, and understands bodies with Content-Length.
import { Worker } from 'node:worker_threads';
import { hostOf } from './scene.ts';

interface Options {
  readonly port: number;
  readonly seconds: number;
  readonly rate: number;
  readonly connections: number;
  readonly hosts: number;
  readonly path: string;
  /** Above 0, each request takes one of so many paths, by number. */
  readonly paths: number;
}

export interface OpenLoopReport {
  readonly answered: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** How late this program was itself with requests that had a free connection. */
  readonly lateP99Ms: number;
  readonly faults: Readonly<Record<string, number>>;
}

interface RawSocket {
  data: Connection;
  write(bytes: Uint8Array): number;
  terminate(): void;
}

declare const Bun: {
  connect(options: {
    readonly hostname: string;
    readonly port: number;
    readonly data: Connection;
    readonly socket: {
      open(raw: RawSocket): void;
      data(raw: RawSocket, bytes: Buffer): void;
      close(raw: RawSocket): void;
      error(raw: RawSocket, error: Error): void;
    };
  }): Promise<RawSocket>;
};

/** Answers that are still missing so long after the last request count as failed. */
const patienceMs = 5000;
/** Closer ticks cost more CPU time than the requests themselves. */
const shortestTickMs = 0.2;

const options = JSON.parse(process.argv[2] ?? '{}') as Options;
const total = Math.round(options.rate * options.seconds);
const intervalMs = 1000 / options.rate;
const requests = preparedRequests();
const latencies = new Float64Array(total);
const lateness = new Float64Array(total);
const faults: Record<string, number> = {};
const free: Connection[] = [];
let startMs = 0;
let issued = 0;
let settled = 0;
let answered = 0;
let lastAnswerMs = 0;

/** One keep-alive connection with at most one request under way. */
class Connection {
  readonly #raw: RawSocket;
  #dueMs = 0;
  #isBusy = false;
  /** Of the body; below 0 while the head is not complete. */
  #missingBytes = -1;
  #head: Buffer | undefined = undefined;
  #status = 0;

  constructor(raw: RawSocket) {
    this.#raw = raw;
  }

  send(number: number): void {
    this.#dueMs = startMs + number * intervalMs;
    this.#isBusy = true;
    this.#missingBytes = -1;
    const bytes = requests[number % requests.length] as Buffer;
    if (this.#raw.write(bytes) !== bytes.length) countFault('requests that the socket did not take');
  }

  onData(bytes: Buffer): void {
    if (!this.#isBusy) return countFault('bytes that nobody asked for');
    if (this.#missingBytes >= 0) this.#missingBytes -= bytes.length;
    else {
      const received = this.#head === undefined ? bytes : Buffer.concat([this.#head, bytes]);
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) {
        // The buffer is the runtime's own and is used again.
        this.#head = Buffer.from(received);
        return;
      }
      this.#head = undefined;
      const head = received.toString('latin1', 0, end + 2);
      this.#status = Number(head.slice(9, 12));
      const length = /\r\ncontent-length: *([0-9]+)\r\n/i.exec(head)?.[1];
      if (length === undefined) countFault('answers without Content-Length');
      this.#missingBytes = Number(length ?? 0) - (received.length - end - 4);
    }
    if (this.#missingBytes <= 0) this.#onAnswer();
  }

  #onAnswer(): void {
    this.#isBusy = false;
    if (this.#missingBytes < 0) countFault('answers longer than their Content-Length');
    if (this.#status === 200) {
      lastAnswerMs = performance.now();
      latencies[answered++] = lastAnswerMs - this.#dueMs;
    } else countFault(`answers of status ${this.#status}`);
    settle();
    free.push(this);
    sendDue();
  }

  onClose(): void {
    if (this.#isBusy) {
      countFault('connections closed without an answer');
      settle();
    }
    const place = free.indexOf(this);
    if (place >= 0) free.splice(place, 1);
    if (settled < total) void open();
  }
}

function open(): Promise<unknown> {
  const socket = {
    open: (raw: RawSocket) => {
      raw.data = new Connection(raw);
      free.push(raw.data);
    },
    data: (raw: RawSocket, bytes: Buffer) => raw.data.onData(bytes),
    close: (raw: RawSocket) => raw.data.onClose(),
    error: (_: RawSocket, error: Error) => countFault(error.message),
  };
  const connecting = { hostname: '127.0.0.1', port: options.port, data: undefined as never, socket };
  return Bun.connect(connecting).catch(() => countFault('failed connects'));
}

function preparedRequests(): readonly Buffer[] {
  const { hosts, path, paths } = options;
  const count = hosts * Math.max(1, paths);
  return Array.from({ length: count }, (_, number) => {
    // A step that has no common factor with round numbers visits all, in an order that looks random.
    const which = (number * 7919) % count;
    const target = paths > 0 ? `${path}${which % paths}` : path;
    const host = hostOf(Math.floor(which / Math.max(1, paths)));
    return Buffer.from(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 'latin1');
  });
}

function onTick(): void {
  const first = issued;
  const hadFree = free.length;
  sendDue();
  const now = performance.now();
  for (let number = first; number < Math.min(issued, first + hadFree); number++)
    lateness[number] = now - (startMs + number * intervalMs);
}

function sendDue(): void {
  const due = Math.min(total, Math.floor((performance.now() - startMs) / intervalMs) + 1);
  while (issued < due) {
    const connection = free.shift();
    if (connection === undefined) return;
    connection.send(issued++);
  }
}

function countFault(kind: string): void {
  faults[kind] = (faults[kind] ?? 0) + 1;
}

function settle(): void {
  if (++settled === total) finish();
}

function finish(): void {
  if (settled < issued) faults['unanswered'] = issued - settled;
  if (issued < total) faults['never sent for want of a free connection'] = total - issued;
  const sorted = latencies.subarray(0, answered).sort();
  const at = (share: number): number => sorted[Math.min(answered - 1, Math.floor(answered * share))] ?? 0;
  const report: OpenLoopReport = {
    answered,
    requestsPerSecond: answered / ((lastAnswerMs - startMs) / 1000),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    maxMs: at(1),
    lateP99Ms: lateness.sort()[Math.floor(total * 0.99)] ?? 0,
    faults,
  };
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
}

for (let number = 0; number < options.connections; number++) await open();
const tickMs = Math.max(shortestTickMs, intervalMs);
const metronome = new Worker(new URL('metronome.ts', import.meta.url), { workerData: { tickMs } });
metronome.once('message', () => {
  startMs = performance.now();
  setTimeout(finish, options.seconds * 1000 + patienceMs);
  metronome.on('message', onTick);
});
