// Configurations of nginx: as the backend of every proxy, and as the proxy that Flint is compared with.

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
export function proxyConf(folder: string, port: number, backends: readonly number[]): string {
  return `
daemon off; master_process off; worker_processes 1;
pid ${folder}/proxy.pid; error_log ${folder}/proxy.log warn;
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
    }
  }
}
`;
}
