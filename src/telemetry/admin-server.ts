// The admin port of a process: health for the kubelet, metrics for Prometheus, and pages of its own.
//
//   listen --> at its address <----------------------------+   release
//      |                                                   |   (whoever leaves makes room)
//      +-- taken by another --> at the spare one, looking for its own to become free
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';

export interface AdminAddress {
  readonly host: string;
  readonly port: number;
}

export interface AdminAnswer {
  readonly contentType: string;
  readonly text: string;
}

export interface AdminSource {
  /**
   * Its name, which every answer says: whoever asks for another one by `?pod=NAME` gets 421. Absent: nobody knows, and
   * everybody is answered.
   */
  readonly pod?: string;
  /** The only address was taken by others, and so was the spare one: nobody can ask it anything for now. */
  onWaiting?(): void;
  isReady(): boolean;
  /** False: nothing but a new process helps. Absent: it always is. */
  isLive?(): boolean;
  metrics(): Promise<AdminAnswer>;
  /** Further pages, by path. */
  readonly pages?: Readonly<Record<string, (query: URLSearchParams) => Promise<AdminAnswer>>>;
}

const plain = 'text/plain; charset=utf-8';
/** The field of an answer that says whose it is; the operator knows it by `model/wire-names.ts`. */
const podField = 'flint-pod';
/** How often an address that another process has is tried again. */
const retryMs = 500;

export class AdminServer {
  readonly #source: AdminSource;
  #servers: readonly Server[] = [];
  #retry: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(source: AdminSource) {
    this.#source = source;
  }

  /**
   * Resolves to the bound port; rejects when the address cannot be bound. With `spare` it is no fault that another process
   * has `at`: the spare one is bound, and left for `at` as soon as that is free.
   */
  async listen(at: AdminAddress, spare?: AdminAddress): Promise<number> {
    for (let round = 0; ; round++) {
      for (const address of spare === undefined ? [at] : [at, spare]) {
        const server = await this.#bind(address, spare !== undefined);
        if (this.#isOver) {
          server?.close();
          throw new Error('closed before it could be bound');
        }
        if (server === undefined) continue;
        this.#servers = [server];
        if (address === spare) this.#moveLater(at);
        return portOf(server, address);
      }
      // A third process of the same kind, where one of the two others is about to leave, or something else.
      if (round === 0) this.#source.onWaiting?.();
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }

  /** Resolves to undefined where it is no fault that another process has the address. */
  #bind({ host, port }: AdminAddress, mayBeTaken: boolean): Promise<Server | undefined> {
    const server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        if (!response.headersSent) response.writeHead(500);
        response.end(`${error instanceof Error ? error.message : String(error)}\n`);
      });
    });
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => {
        if (mayBeTaken && error.code === 'EADDRINUSE') resolve(undefined);
        else reject(error);
      };
      server.once('error', onError);
      server.listen(port, host, () => {
        server.off('error', onError);
        resolve(server);
      });
    });
  }

  #moveLater(at: AdminAddress): void {
    this.#retry = setTimeout(() => {
      void this.#move(at);
    }, retryMs);
  }

  async #move(at: AdminAddress): Promise<void> {
    // The probes of the pod before are answered at that address, too: one that is not ready must not speak for it.
    if (!this.#source.isReady()) {
      this.#moveLater(at);
      return;
    }
    // Whatever else is wrong with the address now: the spare one is there, and the next try may do better.
    const server = await this.#bind(at, true).catch(() => undefined);
    if (this.#isOver) {
      server?.close();
      return;
    }
    if (server === undefined) {
      this.#moveLater(at);
      return;
    }
    // Those who wait for an answer get it.
    for (const left of this.#servers) left.close();
    this.#servers = [...this.#servers, server];
  }

  /** Nobody new is answered from here on: the addresses are free for who follows. Answers under way are finished. */
  release(): void {
    this.#isOver = true;
    clearTimeout(this.#retry);
    for (const server of this.#servers) server.close();
  }

  close(): void {
    this.release();
    for (const server of this.#servers) server.closeAllConnections();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://admin');
    const answer = (status: number, type: string, text: string): void => {
      // On a connection that is kept the next question would not reach whoever has the address by then.
      const isLast = this.#isOver || status === 421;
      response.writeHead(status, {
        'content-type': type,
        ...(this.#source.pod === undefined ? {} : { [podField]: this.#source.pod }),
        ...(isLast ? { connection: 'close' } : {}),
      });
      response.end(text);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer(405, plain, 'only GET\n');
      return;
    }
    const pod = url.searchParams.get('pod');
    if (pod !== null && this.#source.pod !== undefined && pod !== this.#source.pod) {
      answer(421, plain, `this is ${this.#source.pod}\n`);
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

function portOf(server: Server, { port }: AdminAddress): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}
