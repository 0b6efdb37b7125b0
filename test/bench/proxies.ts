// The sides of the comparison: how each is started with the routes of a scene.
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:http2';
import type { IncomingHttpHeaders } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { request } from '../e2e/http-client.ts';
import { freePort } from '../free-port.ts';
import { flintObjects, manifestText } from './flint-conf.ts';
import { proxyCore, root, untilListening } from './lab.ts';
import type { Lab, Running, Runtime } from './lab.ts';
import { pair } from './pair.ts';
import { haproxyConf, nginxConf, pairFile } from './peer-conf.ts';
import { hostOf, prefixOf, tenantHeader } from './scene.ts';
import type { Scene } from './scene.ts';
import { isProxyWanted, reference } from './settings.ts';

export interface Proxy {
  readonly name: string;
  readonly port: number;
  readonly isSecure: boolean;
  /** From the start of the process to the first accepted connection. */
  readonly listeningMs: number;
  readonly running: Running;
}

export interface Side {
  readonly name: string;
  /** Resolves when the proxy answers 200 to a request that its routes take; rejects with what keeps it from that. */
  readonly start: (scene: Scene) => Promise<Proxy>;
}

type StartOn = (port: number, scene: Scene) => Running;

export function sidesOf(lab: Lab): readonly Side[] {
  const all: readonly (readonly [string, StartOn])[] = [
    [reference, nginxOn(lab, 'default')],
    ['nginx, 64 KB buffers', nginxOn(lab, '64k')],
    ['haproxy', haproxyOn(lab)],
    ['Flint on Bun', flintOn(lab, 'bun')],
    ['Flint on Node', flintOn(lab, 'node')],
  ];
  return all
    .filter(([name]) => isProxyWanted(name))
    .map(([name, startOn]) => ({ name, start: (scene) => startProxy(name, startOn, scene) }));
}

async function startProxy(name: string, startOn: StartOn, scene: Scene): Promise<Proxy> {
  const port = await freePort();
  const running = startOn(port, scene);
  try {
    const listeningMs = await untilListening(port, running);
    const { host, path, headers } = probeOf(scene);
    const status = await statusOf(scene, port, host, path, headers);
    if (status !== 200) throw new Error(`answers ${status} to its first request`);
    return { name, port, isSecure: scene.isSecure === true, listeningMs, running };
  } catch (error) {
    await running.stop();
    throw error;
  }
}

async function statusOf(
  scene: Scene,
  port: number,
  host: string,
  path: string,
  headers: string,
): Promise<number> {
  if (scene.isSecure) return secureStatus(port, host, path);
  if (scene.http2 !== undefined) return http2Status(port, host, path, scene.http2 === 'gRPC');
  return (await request(port, host, path, { headers })).status;
}

async function http2Status(port: number, host: string, path: string, isGrpc: boolean): Promise<number> {
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    const fields = isGrpc ? { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' } : {};
    const asked = session.request({ ':authority': host, ':path': path, ...fields });
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingHttpHeaders];
    asked.resume();
    await once(asked, 'close');
    return Number(response[':status']);
  } finally {
    session.destroy();
  }
}

async function secureStatus(port: number, host: string, path: string): Promise<number> {
  const asked = httpsRequest({
    host: '127.0.0.1',
    port,
    servername: host,
    path,
    headers: { host },
    ca: pair.certificate,
    agent: false,
  });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode ?? 0;
}

/** A request that the routes of a scene take. */
function probeOf(scene: Scene): { readonly host: string; readonly path: string; readonly headers: string } {
  const paths = {
    everything: '/tiny',
    filtered: '/tiny',
    path: prefixOf(0),
    header: '/tiny',
    expression: '/tiny/1/r0',
  };
  if (scene.http2 === 'gRPC') return { host: hostOf(0), path: '/grpc', headers: '' };
  const headers = scene.rules === 'header' ? `${tenantHeader}: t0\r\n` : '';
  return { host: hostOf(0), path: paths[scene.rules], headers };
}

/** In one file, as haproxy wants it; nginx reads both from there, too. */
function writePair(lab: Lab): void {
  lab.writeFile(pairFile, pair.certificate + pair.keyPem);
}

function nginxOn(lab: Lab, buffers: 'default' | '64k'): StartOn {
  return (port, scene) => {
    const text = nginxConf(lab.folder, port, lab.backendsOf(scene), buffers, scene);
    if (scene.isSecure) writePair(lab);
    return lab.start(proxyCore, 'nginx', [
      '-p',
      lab.folder,
      '-c',
      lab.writeFile(`nginx-${buffers}.conf`, text),
    ]);
  };
}

function haproxyOn(lab: Lab): StartOn {
  return (port, scene) => {
    if (scene.isSecure) writePair(lab);
    const text = haproxyConf(lab.folder, port, lab.backendsOf(scene), scene, (name, content) =>
      lab.writeFile(name, content),
    );
    return lab.start(proxyCore, 'haproxy', ['-q', '-f', lab.writeFile('haproxy.cfg', text)]);
  };
}

/** Hosts in one manifest file. */
const hostsPerFile = 100;

function flintOn(lab: Lab, runtime: Runtime): StartOn {
  return (port, scene) => {
    const folder = join(lab.folder, `manifests-${port}`);
    mkdirSync(folder, { recursive: true });
    const objects = flintObjects(scene, lab.backendsOf(scene));
    for (let first = 0; first < objects.length; first += hostsPerFile)
      writeFileSync(join(folder, `${first}.yaml`), manifestText(objects.slice(first, first + hostsPerFile)));
    const serving = ['--workers', '1', '--access-log', 'off', '--log-level', 'error'];
    const places: [string, string] = [`127.0.0.1:${port}`, '127.0.0.1:0'];
    if (scene.isSecure) places.reverse();
    const [http, https] = places;
    const listening = ['--http', http, '--https', https, '--admin', '127.0.0.1:0'];
    const main = join(root, 'src/main.ts');
    return lab.start(proxyCore, lab.binary(runtime), [main, 'run', '-f', folder, ...serving, ...listening]);
  };
}
