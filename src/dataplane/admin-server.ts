// The admin port: health for the kubelet, metrics for Prometheus, the revision for whoever waits for proof.
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface AdminSource {
  isReady(): boolean;
  revision(): { readonly sequence: number };
  /** Resolves when a revision after `after` is served, or after `waitMs`. */
  waitForRevision(after: number, waitMs: number): Promise<void>;
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
}

const longestWaitMs = 60_000;
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
        answer(200, plain, 'ok\n');
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
      case '/revision': {
        // ?after=SEQUENCE&waitMs=N: answers when a newer revision is served by every worker, or when the time is up.
        const after = url.searchParams.get('after');
        const waitMs = Math.min(Number(url.searchParams.get('waitMs') ?? 0) || 0, longestWaitMs);
        if (after !== null && waitMs > 0) await this.#source.waitForRevision(Number(after) || 0, waitMs);
        answer(200, 'application/json', `${JSON.stringify(this.#source.revision())}\n`);
        return;
      }
      default:
        answer(404, plain, 'here are /livez, /readyz, /metrics and /revision\n');
    }
  }
}
