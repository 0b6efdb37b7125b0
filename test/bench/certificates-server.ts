// The data plane by itself, as a process that serves the bundle of a file over HTTPS; certificates.ts asks it for names.
//
//   hack/runtime node|bun test/bench/certificates-server.ts BUNDLE.json
import { readFileSync } from 'node:fs';
import { DataPlane } from '#dataplane/data-plane.ts';
import { defaultProxySettings } from '#dataplane/worker-protocol.ts';
import type { Bundle } from '#model/bundle.ts';
import { createLogger } from '#telemetry/log.ts';

/** A line of standard output. */
export interface ServerNews {
  readonly httpsPort: number;
  /** From handing over the bundle until every worker serves it. */
  readonly servedMs: number;
}

const dataPlane = new DataPlane({
  http: { host: '127.0.0.1', port: 0 },
  https: { host: '127.0.0.1', port: 0 },
  admin: { host: '127.0.0.1', port: 0 },
  workers: 1,
  proxy: defaultProxySettings,
  logger: createLogger('error'),
  writeAccessLog: undefined,
});
const startedMs = performance.now();
const applied = await dataPlane.apply(JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Bundle, 1);
if (applied.kind !== 'Applied') throw new Error(JSON.stringify(applied));
await dataPlane.served(1);
const { https: httpsPort } = dataPlane.ports;
const news: ServerNews = { httpsPort, servedMs: performance.now() - startedMs };
process.stdout.write(`${JSON.stringify(news)}\n`);
// Whoever started this one is gone.
process.stdin.once('end', () => process.exit(0)).resume();
