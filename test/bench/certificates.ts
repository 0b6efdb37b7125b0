// Ten thousand certificates in one data plane: how long until they are served, what they take, and what a handshake costs
// with a name that was not asked for before (its context has to be made) beside one that was. One worker, on both runtimes.
//
//   hack/runtime node test/bench/certificates.ts [CERTIFICATES] [HANDSHAKES]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from 'node:tls';
import { encode } from '#model/bundle.ts';
import type { Certificate } from '#model/route-model.ts';
import { SecretText } from '#model/secret-text.ts';
import { checkKeyPair } from '#tls/key-pair.ts';
import { cpuMsOf, mib, residentBytesOf } from '../e2e/process-figures.ts';
import { exactHost, modelOf, upstream } from '../model/large-model.ts';
import { plainBundle } from '../model/resealed.ts';
import { createAuthority } from '../tls/certificates.ts';
import type { ServerNews } from './certificates-server.ts';
import { table } from './table.ts';

const certificates = Number(process.argv[2] ?? 10_000);
const handshakes = Number(process.argv[3] ?? 2000);
const atOnce = 8;
/** Fewer than a thread holds contexts for. */
const warmNames = 100;
const authority = createAuthority();

interface Result {
  readonly certificates: number;
  readonly servedMs: number;
  readonly residentBytes: number;
  readonly laterBytes: number;
  readonly coldMs: number;
  readonly warmMs: number;
}

function certificateOf(name: string): Certificate {
  const issued = authority.issue({ dnsNames: [name] });
  const chain = authority.chainOf(issued);
  const check = checkKeyPair(chain, issued.keyPem);
  if (check.kind === 'Unfit') throw new Error(check.fault);
  const { dnsNames, notAfter, fingerprint } = check.pair.leaf;
  return {
    id: `x/${name}`,
    chain: check.pair.chain,
    key: new SecretText(issued.keyPem),
    dnsNames,
    notAfter,
    fingerprint,
  };
}

function nameOf(number: number): string {
  return `host-${number}.test`;
}

function bundleText(count: number): string {
  const names = Array.from({ length: count }, (_, number) => nameOf(number));
  const hosts = names.map((name) => ({
    ...exactHost(name, 'x/s:80'),
    certificates: [`x/${name}`],
    plaintext: 'Redirect' as const,
  }));
  const model = { ...modelOf(hosts, [upstream('x/s:80', 1)]), certificates: names.map(certificateOf) };
  return JSON.stringify(plainBundle(encode(model)));
}

async function handshake(port: number, servername: string): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, servername, ca: authority.root.certificate });
  await once(socket, 'secureConnect');
  socket.destroy();
  await once(socket, 'close');
}

/** CPU milliseconds of the process for each. */
async function costOf(pid: number, port: number, nameAt: (index: number) => string): Promise<number> {
  const before = cpuMsOf(pid);
  let next = 0;
  const shake = async (): Promise<void> => {
    while (next < handshakes) await handshake(port, nameAt(next++));
  };
  await Promise.all(Array.from({ length: atOnce }, shake));
  return (cpuMsOf(pid) - before) / handshakes;
}

async function measure(runtime: 'bun' | 'node', file: string, count: number): Promise<Result> {
  const program = new URL('certificates-server.ts', import.meta.url).pathname;
  const launcher = new URL('../../hack/runtime', import.meta.url).pathname;
  const child = spawn(launcher, [runtime, program, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { httpsPort, servedMs } = JSON.parse(line) as ServerNews;
    const pid = child.pid ?? 0;
    const residentBytes = residentBytesOf(pid);
    const coldMs = await costOf(pid, httpsPort, (index) => nameOf(index % count));
    const warmMs = await costOf(pid, httpsPort, (index) => nameOf(index % Math.min(count, warmNames)));
    return {
      certificates: count,
      servedMs,
      residentBytes,
      laterBytes: residentBytesOf(pid),
      coldMs,
      warmMs,
    };
  } finally {
    child.kill();
  }
}

const folder = mkdtempSync(join(tmpdir(), 'flint-certificates-'));
const rows: string[][] = [];
for (const count of [1, certificates]) {
  const file = join(folder, `${count}.json`);
  writeFileSync(file, bundleText(count), { mode: 0o600 });
  for (const runtime of ['bun', 'node'] as const) {
    const result = await measure(runtime, file, count);
    const megabytes = (bytes: number): string => `${Math.round(bytes / mib)} MB`;
    rows.push([
      runtime,
      String(result.certificates),
      `${Math.round(result.servedMs)} ms`,
      megabytes(result.residentBytes),
      megabytes(result.laterBytes),
      count === 1 ? '' : `${result.coldMs.toFixed(2)} ms`,
      `${result.warmMs.toFixed(2)} ms`,
    ]);
  }
}
rmSync(folder, { recursive: true });
process.stdout.write(
  `${table(
    [
      'runtime',
      'certificates',
      'served after',
      'memory',
      'after the handshakes',
      'CPU of a first handshake',
      'of another',
    ],
    rows,
  )}\n`,
);
