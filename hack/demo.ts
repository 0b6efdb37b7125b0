// `make run`: the whole path on an embedded default - manifests in a file, two backends, Flint, and what to type next.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { relative } from 'node:path';

const root = new URL('../', import.meta.url).pathname;
const folder = `${root}.cache/demo`;

/** A backend that says who it is and what it was sent. Resolves to its port. */
function startBackend(name: string): Promise<number> {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      response.setHeader('content-type', 'text/plain');
      response.end(
        `${name} got ${request.method} ${request.url} for ${request.headers.host} (request ${String(request.headers['x-request-id'])})\n`,
      );
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

/** The port if it is free, else one that the system chooses. */
function freePort(wanted: number): Promise<number> {
  return new Promise((resolve) => {
    const probe = createTcpServer();
    probe.once('error', () => resolve(freePort(0)));
    probe.listen(wanted, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

function manifests(shopPort: number, apiPort: number): string {
  return `# What 'make run' serves. Change something and save: the next request is routed by it.
apiVersion: flint.dev/v1alpha1
kind: IngressRoute
metadata: {name: shop}
spec:
  hostnames: [shop.localhost]
  rules:
  - name: api
    matches: [{path: {type: PathPrefix, value: /api}}]
    backendRefs: [{name: api, port: 80}]
  - name: everything-else
    backendRefs: [{name: shop, port: 80}]
${service('shop', shopPort)}${service('api', apiPort)}`;
}

function service(name: string, port: number): string {
  return `---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
endpoints: [{addresses: [127.0.0.1]}]
ports: [{port: ${port}}]
`;
}

const [shopPort, apiPort] = [await startBackend('shop'), await startBackend('api')];
const [httpPort, adminPort] = [await freePort(8080), await freePort(9901)];
mkdirSync(folder, { recursive: true });
const file = `${folder}/shop.yaml`;
writeFileSync(file, manifests(shopPort, apiPort));

const flint = spawn(
  `${root}hack/flint`,
  [
    'run',
    '-f',
    file,
    '--http',
    `127.0.0.1:${httpPort}`,
    '--https',
    '127.0.0.1:0',
    '--admin',
    `127.0.0.1:${adminPort}`,
  ],
  { cwd: root, stdio: ['ignore', 'inherit', 'pipe'] },
);
flint.stderr.setEncoding('utf8');
flint.stderr.on('data', (text: string) => {
  process.stderr.write(text);
  if (text.includes('"msg":"listening"')) process.stdout.write(welcome());
});
flint.on('exit', (code) => process.exit(code ?? 1));
// The terminal tells the whole group; this process only waits, so that it is the last to go.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (signal === 'SIGTERM') flint.kill(signal);
  });

function welcome(): string {
  const name = relative(process.cwd(), file);
  return `
Flint serves ${name} on http://127.0.0.1:${httpPort}. In another terminal:

  curl http://shop.localhost:${httpPort}/
  curl -H 'Host: shop.localhost' http://127.0.0.1:${httpPort}/api/orders?id=7
  curl -i http://127.0.0.1:${httpPort}/nobody-serves-this-host

What to try next:
  edit ${name} while requests run, such as /api to /orders: the change is live when it is saved
  npm run -s flint -- explain http://shop.localhost/api/orders -f ${name}
  npm run -s flint -- check -f ${name}
  curl http://127.0.0.1:${adminPort}/metrics        (and /readyz, /livez, /revision)
  npm run -s flint -- run --http 127.0.0.1:8081 --admin 127.0.0.1:9902 --route '*/=127.0.0.1:${shopPort}'

Ctrl-C stops everything. Below is the access log.

`;
}
