// A generator of full TLS handshakes: a connection, a request, its answer, the end, and no session that is taken up again,
// as no other generator here can be told. One line of JSON at the end, as of open-loop.ts.
//
//   hack/runtime node test/bench/handshakes.ts '{"port":8443,"seconds":4,"connections":64,"path":"/tiny"}'
import { connect } from 'node:tls';
import { hostOf } from './scene.ts';

interface Options {
  readonly port: number;
  readonly seconds: number;
  readonly connections: number;
  readonly path: string;
}

export interface HandshakeReport {
  readonly answered: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** Not answered with 200. */
  readonly faults: number;
}

/** Resolves to whether it was answered. */
function ask({ port, path }: Options): Promise<boolean> {
  return new Promise((resolve) => {
    // The certificate is another one in every process: what is measured is the server.
    const socket = connect({ host: '127.0.0.1', port, servername: hostOf(0), rejectUnauthorized: false });
    let received = '';
    socket.setEncoding('latin1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostOf(0)}\r\nConnection: close\r\n\r\n`);
    socket.on('data', (text: string) => {
      received += text;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(received.startsWith('HTTP/1.1 200 ')));
  });
}

const options = JSON.parse(process.argv[2] ?? '{}') as Options;
const startedMs = performance.now();
const endMs = startedMs + options.seconds * 1000;
const latencies: number[] = [];
let faults = 0;

async function askInTurn(): Promise<void> {
  while (performance.now() < endMs) {
    const beginMs = performance.now();
    if (await ask(options)) latencies.push(performance.now() - beginMs);
    else faults++;
  }
}

await Promise.all(Array.from({ length: options.connections }, askInTurn));
const elapsedSeconds = (performance.now() - startedMs) / 1000;
latencies.sort((a, b) => a - b);
const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
const report: HandshakeReport = {
  answered: latencies.length,
  requestsPerSecond: latencies.length / elapsedSeconds,
  p50Ms: at(0.5),
  p99Ms: at(0.99),
  p999Ms: at(0.999),
  maxMs: latencies.at(-1) ?? 0,
  faults,
};
process.stdout.write(`${JSON.stringify(report)}\n`);
