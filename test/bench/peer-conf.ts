// Configurations of the peers: nginx as the backend of every proxy, nginx and haproxy as those that Flint is compared with.
import { backendAuthorityFile, backendName, backendPairFile } from './backend-pair.ts';
import { expressionOf, hostsOf, prefixOf, ruleNumbers, tenantHeader } from './scene.ts';
import type { Scene } from './scene.ts';

/** More than the idle connections that are opened; haproxy's table of descriptors counts each of them twice. */
const maxConnections = 12_000;

/**
 * Files of known sizes under /10k, /1m and /chunked, a short text under /tiny and everything below it. A filter that
 * may change the length makes nginx send chunks, one for each of its buffers; the text that it looks for is long, so
 * that it skips nearly all of what it searches.
 */
export function backendConf(
  folder: string,
  ports: readonly number[],
  securePorts: readonly number[],
): string {
  return `
daemon off; master_process off; worker_processes 1;
pid ${folder}/backend.pid; error_log ${folder}/backend.log warn;
events { worker_connections 16384; multi_accept on; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 3600s;
  client_max_body_size 0; ${temporaryPaths(folder)}
  server {
    ${ports.map((port) => `listen 127.0.0.1:${port} backlog=4096;`).join(' ')}
    ${securePorts.map((port) => `listen 127.0.0.1:${port} ssl backlog=4096;`).join(' ')}
    ssl_certificate ${folder}/${backendPairFile}; ssl_certificate_key ${folder}/${backendPairFile};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    root ${folder}/files;
    location /tiny { return 200 "hello, world"; }
    location /post { client_body_buffer_size 64k; return 200 "ok"; }
    location = /chunked { sub_filter_types *; sub_filter "${'never in the file, '.repeat(8)}" ""; output_buffers 4 16k; tcp_nopush off; }
  }
}
`;
}

/** The same features as Flint's data plane: forwarded fields, a random request id, P2C over two endpoints, a pool. */
export function nginxConf(
  folder: string,
  port: number,
  backends: readonly number[],
  buffers: 'default' | '64k',
  scene: Scene,
): string {
  const ssl = `${scene.isSecure ? ' ssl' : ''}${scene.http2 === undefined ? '' : ' http2'}`;
  const pass = nginxPass(scene);
  const set = scene.http2 === 'gRPC' ? 'grpc_set_header' : 'proxy_set_header';
  return `
daemon off; master_process off; worker_processes 1;
pid ${folder}/proxy-${port}.pid; error_log ${folder}/proxy-${port}.log warn;
events { worker_connections ${2 * maxConnections}; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 60s;
  ${scene.rules === 'filtered' ? '' : 'client_max_body_size 0;'} ${temporaryPaths(folder)}
  server_names_hash_max_size 16384; server_names_hash_bucket_size 128;
  upstream shop {
    random two least_conn;
    ${backends.map((backend) => `server 127.0.0.1:${backend};`).join(' ')}
    keepalive 256; keepalive_requests 1000000000;
  }
  ${scene.rules === 'header' ? nginxHeaderMap(scene) : ''}
  proxy_http_version 1.1;
  ${set} Connection "";
  ${set} Host $http_host;
  ${set} X-Forwarded-For $remote_addr;
  ${set} X-Forwarded-Proto $scheme;
  ${set} X-Forwarded-Host $http_host;
  ${set} X-Real-IP $remote_addr;
  ${set} X-Request-Id $request_id;
  ${scene.rules === 'filtered' ? nginxFilters : ''}
  ${buffers === 'default' ? '' : 'proxy_buffer_size 64k; proxy_buffers 16 64k; proxy_busy_buffers_size 128k;'}
  ${scene.isSecure ? nginxTls(folder) : ''}
  ${scene.hasSecureBackends ? nginxVerified(folder) : ''}
  server { listen 127.0.0.1:${port}${ssl} backlog=4096 default_server; return 404; }
  ${hostsOf(scene)
    .map((host) => {
      const locations = nginxMatches(scene).map((match) => `    location ${match} { ${pass} }`);
      return `server {\n    listen 127.0.0.1:${port}${ssl};\n    server_name ${host};\n${locations.join('\n')}\n  }`;
    })
    .join('\n  ')}
}
`;
}

function nginxPass(scene: Scene): string {
  if (scene.http2 === 'gRPC') return 'grpc_pass grpc://shop;';
  if (scene.hasSecureBackends) return 'proxy_pass https://shop;';
  return scene.rules === 'header' ? 'proxy_pass http://$pool;' : 'proxy_pass http://shop;';
}

/** Next to the configuration: the certificate and its key. */
export const pairFile = 'pair.pem';

/** Verified as Flint does, chain and name; nginx would verify neither by itself. */
function nginxVerified(folder: string): string {
  return `proxy_ssl_verify on; proxy_ssl_verify_depth 3; proxy_ssl_trusted_certificate ${folder}/${backendAuthorityFile};
  proxy_ssl_name ${backendName}; proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.2 TLSv1.3;`;
}

function haproxyVerified(folder: string): string {
  return ` ssl verify required ca-file ${folder}/${backendAuthorityFile} sni str(${backendName}) verifyhost ${backendName}`;
}

/** As Flint has it: TLS 1.2 and 1.3, AES-128 first, sessions by ticket. */
function nginxTls(folder: string): string {
  const file = `${folder}/${pairFile}`;
  return `ssl_certificate ${file}; ssl_certificate_key ${file}; ssl_protocols TLSv1.2 TLSv1.3;
  ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256; ssl_session_tickets on;
  ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384;`;
}

const nginxFilters = `allow 127.0.0.0/8; deny all; client_max_body_size 10m;
  proxy_set_header X-Secret ""; proxy_set_header X-Env prod; proxy_set_header X-Team shop;
  proxy_hide_header Content-Type; add_header Strict-Transport-Security max-age=31536000;`;

const haproxyFilters: readonly string[] = [
  'http-request deny unless { src 127.0.0.0/8 }',
  'http-request deny if { req.body_size gt 10485760 }',
  'http-request del-header X-Secret',
  'http-request set-header X-Env prod',
  'http-request add-header X-Team shop',
  'http-response del-header Content-Type',
  'http-response add-header Strict-Transport-Security max-age=31536000',
];

function temporaryPaths(folder: string): string {
  return ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder};`)
    .join(' ');
}

function nginxMatches(scene: Scene): readonly string[] {
  switch (scene.rules) {
    case 'everything':
    case 'filtered':
    case 'header':
      return ['/'];
    case 'path':
      return ruleNumbers(scene).map(prefixOf);
    case 'expression':
      return ruleNumbers(scene).map((number) => `~ "^${expressionOf(number)}$"`);
  }
}

function nginxHeaderMap(scene: Scene): string {
  const lines = ruleNumbers(scene).map((number) => `t${number} shop;`);
  return `map $http_${tenantHeader.toLowerCase().replaceAll('-', '_')} $pool { default ""; ${lines.join(' ')} }`;
}

/**
 * The same for haproxy: one thread, a random id, two choices at random, connections that are always shared. Hosts and
 * paths are in a map file, as its ingress controllers have them.
 */
export function haproxyConf(
  folder: string,
  port: number,
  backends: readonly number[],
  scene: Scene,
  writeFile: (name: string, text: string) => string,
): string {
  return `
global
  nbthread 1
  no strict-limits
  maxconn ${maxConnections}
defaults
  mode http
  maxconn ${maxConnections}
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
  http-reuse always
frontend shop
  bind 127.0.0.1:${port} backlog 4096${scene.http2 === undefined ? '' : ' proto h2'}${scene.isSecure ? ` ssl crt ${folder}/${pairFile} ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384` : ''}
  unique-id-format %[uuid()]
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto ${scene.isSecure ? 'https' : 'http'}
  http-request set-header X-Forwarded-Host %[req.hdr(Host)]
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Request-Id %[unique-id]
  ${haproxyRules(scene, writeFile).join('\n  ')}
backend shop
  balance random(2)
  ${backends.map((backend, index) => `server s${index} 127.0.0.1:${backend} pool-max-conn 256${scene.http2 === 'gRPC' ? ' proto h2' : ''}${scene.hasSecureBackends ? haproxyVerified(folder) : ''}`).join('\n  ')}
`;
}

function haproxyRules(scene: Scene, writeFile: (name: string, text: string) => string): readonly string[] {
  const numbers = ruleNumbers(scene);
  switch (scene.rules) {
    case 'everything':
      return ['default_backend shop'];
    case 'filtered':
      return [...haproxyFilters, 'default_backend shop'];
    case 'path': {
      const lines = hostsOf(scene).flatMap((host) => numbers.map((n) => `${host}${prefixOf(n)} shop\n`));
      return [`use_backend %[base,map_beg(${writeFile('haproxy-paths.map', lines.join(''))})]`];
    }
    case 'header': {
      const file = writeFile('haproxy-header.map', numbers.map((n) => `t${n} shop\n`).join(''));
      return [`use_backend %[req.hdr(${tenantHeader}),map_str(${file})]`];
    }
    case 'expression':
      return numbers.map((n) => `use_backend shop if { path -m reg ^${expressionOf(n)}$ }`);
  }
}
