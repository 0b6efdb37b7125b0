// The admin port of a process: health for the kubelet, metrics for Prometheus, and pages of its own.
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface AdminAnswer {
  readonly contentType: string;
  readonly text: string;
}

export interface AdminSource {
  isReady(): boolean;
  /** False: nothing but a new process helps. Absent: it always is. */
  isLive?(): boolean;
  metrics(): Promise<AdminAnswer>;
  /** Further pages, by path. */
  readonly pages?: Readonly<Record<string, (query: URLSearchParams) => Promise<AdminAnswer>>>;
}

const plain = 'text/plain; charset=utf-8';

export class AdminServer {
  readonly #source: AdminSource;
  readonly #server = createServer((request, response) => {
    this.#serve(request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(`${error instanceof Error ? error.message : String(error)}\n`);
    });
  });

  constructor(source: AdminSource) {
    this.#source = source;
  }

  /** Resolves to the bound port; rejects when the address cannot be bound. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://admin');
    const answer = (status: number, type: string, text: string): void => {
      response.writeHead(status, { 'content-type': type });
      response.end(text);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer(405, plain, 'only GET\n');
      return;
    }
    switch (url.pathname) {
      case '/livez':
        if (this.#source.isLive?.() === false) answer(503, plain, 'a worker cannot be ended\n');
        else answer(200, plain, 'ok\n');
        return;
      case '/readyz':
        if (this.#source.isReady()) answer(200, plain, 'ok\n');
        else answer(503, plain, 'not ready\n');
        return;
      case '/metrics': {
        const { contentType, text } = await this.#source.metrics();
        answer(200, contentType, text);
        return;
      }
      default: {
        const { pages = {} } = this.#source;
        const page = Object.hasOwn(pages, url.pathname) ? pages[url.pathname] : undefined;
        if (page === undefined) {
          answer(404, plain, `here are ${[...paths, ...Object.keys(pages)].join(', ')}\n`);
          return;
        }
        const { contentType, text } = await page(url.searchParams);
        answer(200, contentType, text);
      }
    }
  }
}

const paths = ['/livez', '/readyz', '/metrics'];
