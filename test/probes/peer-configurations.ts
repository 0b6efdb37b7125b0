// nginx and haproxy as one would run them: the settings of test/bench/peer-conf.ts, with masters that reload, retries on, and
// Flint's own timeouts wherever there is a knob for them. Neither judges health by itself: in a cluster
// readiness does that, and ingress controllers say max_fails=0, without which nginx gives up both of two endpoints.
import type { Plan, Pools } from './plan.ts';
import { clientIdleSeconds } from './plan.ts';

const connections = 20_000;
/** Its table of descriptors counts each twice. */
const haproxyConnections = 12_000;
const headMs = 10_000;
const slowReaderMs = 30_000;
const defaultMs = 60_000;

function nameOf(host: string): string {
  return host.replaceAll('.', '_');
}

export function nginxText(plan: Plan, pools: Pools, port: number, folder: string): string {
  const { answerMs = defaultMs, idleMs = defaultMs, workers = 1, descriptorLimit } = plan;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder};`)
    .join(' ');
  const isRoot = process.getuid?.() === 0;
  const hosts = Object.entries(pools);
  return `
daemon off; worker_processes ${workers}; ${isRoot ? 'user root;' : ''}
pid ${folder}/nginx.pid; error_log ${folder}/nginx.log warn; worker_shutdown_timeout 30s;
events { worker_connections ${descriptorLimit === undefined ? connections : descriptorLimit - 20}; }
http {
  access_log off; ${temporary}
  keepalive_timeout ${clientIdleSeconds}s; keepalive_requests 1000000000; client_max_body_size 0;
  client_header_timeout ${headMs}ms; client_body_timeout ${idleMs}ms; send_timeout ${slowReaderMs}ms;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Request-Id $request_id;
  proxy_connect_timeout 1s; proxy_read_timeout ${answerMs}ms; proxy_send_timeout ${idleMs}ms;
  proxy_next_upstream error timeout; proxy_next_upstream_tries 3;
${hosts
  .filter(([, ports]) => ports.length > 0)
  .map(
    ([host, ports]) => `  upstream ${nameOf(host)} {
    random two least_conn;
    ${ports.map((each) => `server 127.0.0.1:${each} max_fails=0;`).join(' ')}
    keepalive 256; keepalive_requests 1000000000;
  }`,
  )
  .join('\n')}
${hosts
  .map(
    ([host, ports], index) => `  server {
    listen 127.0.0.1:${port}${index === 0 ? ' backlog=4096 reuseport' : ''};
    server_name ${host};
    location / { ${ports.length > 0 ? `proxy_pass http://${nameOf(host)};` : 'return 503;'} }
  }`,
  )
  .join('\n')}
}
`;
}

export function haproxyText(plan: Plan, pools: Pools, port: number, folder: string): string {
  const { answerMs = defaultMs, idleMs = slowReaderMs, workers = 1, descriptorLimit } = plan;
  const hosts = Object.entries(pools);
  // With few descriptors it works out by itself how many connections they are enough for.
  const most = descriptorLimit === undefined ? `maxconn ${haproxyConnections}` : '';
  return `
global
  nbthread ${workers}
  no strict-limits
  ${most}
  hard-stop-after 30s
  stats socket ${folder}/haproxy.sock mode 600 level admin expose-fd listeners
defaults
  mode http
  ${most}
  timeout connect 1s
  timeout client ${idleMs}ms
  timeout server ${answerMs}ms
  timeout http-request ${headMs}ms
  timeout http-keep-alive ${clientIdleSeconds}s
  retries 3
  option redispatch 1
  retry-on conn-failure empty-response
  http-reuse safe
frontend shop
  bind 127.0.0.1:${port} backlog 4096
  unique-id-format %[uuid()]
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Request-Id %[unique-id]
  # What must not be done twice is not sent twice.
  http-request disable-l7-retry unless METH_GET
  ${hosts.map(([host]) => `use_backend ${nameOf(host)} if { req.hdr(Host) -i ${host} }`).join('\n  ')}
${hosts
  .map(
    ([host, ports]) => `backend ${nameOf(host)}
  balance random(2)
  ${ports.map((each, index) => `server s${index} 127.0.0.1:${each} pool-max-conn 256`).join('\n  ')}`,
  )
  .join('\n')}
`;
}
