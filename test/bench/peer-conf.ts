// Configurations of the peers: nginx as the backend of every proxy, nginx and haproxy as those that Flint is compared with.

/** Files of known sizes under /tiny, /10k and /1m; `root` holds them. */
export function backendConf(folder: string, ports: readonly number[]): string {
  return `
daemon off; master_process off; worker_processes 1;
pid ${folder}/backend.pid; error_log ${folder}/backend.log warn;
events { worker_connections 8192; multi_accept on; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 3600s;
  client_max_body_size 0; client_body_temp_path ${folder}; proxy_temp_path ${folder};
  fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  server {
    ${ports.map((port) => `listen 127.0.0.1:${port} backlog=4096;`).join(' ')}
    root ${folder}/files;
    location = /tiny { return 200 "hello, world"; }
    location /post { client_body_buffer_size 64k; return 200 "ok"; }
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
): string {
  return `
daemon off; master_process off; worker_processes 1;
pid ${folder}/proxy-${port}.pid; error_log ${folder}/proxy-${port}.log warn;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 60s;
  client_max_body_size 0; client_body_temp_path ${folder}; proxy_temp_path ${folder};
  fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  upstream shop {
    random two least_conn;
    ${backends.map((backend) => `server 127.0.0.1:${backend};`).join(' ')}
    keepalive 256; keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    server_name shop.test;
    location / {
      proxy_pass http://shop;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Request-Id $request_id;
      ${buffers === 'default' ? '' : 'proxy_buffer_size 64k; proxy_buffers 16 64k; proxy_busy_buffers_size 128k;'}
    }
  }
}
`;
}

/** The same for haproxy: one thread, a random id, two choices at random, connections that are always shared. */
export function haproxyConf(port: number, backends: readonly number[]): string {
  return `
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
  http-reuse always
frontend shop
  bind 127.0.0.1:${port} backlog 4096
  unique-id-format %[uuid()]
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(Host)]
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Request-Id %[unique-id]
  default_backend shop
backend shop
  balance random(2)
  ${backends.map((backend, index) => `server s${index} 127.0.0.1:${backend} pool-max-conn 256`).join('\n  ')}
`;
}
