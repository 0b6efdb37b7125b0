// Every version of every IngressRoute, as a tool that watches them sees it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import type { ClientRequest } from 'node:http';
import type { ApiServer } from '../cluster/api-server.ts';
import { moment } from '../cluster/test-cluster.ts';

const longestWaitMs = 30_000;

export interface SeenRoute {
  readonly metadata: {
    readonly name: string;
    readonly generation: number;
    readonly resourceVersion: string;
    readonly deletionTimestamp?: string;
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly SeenCondition[];
  };
}

export interface SeenCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly observedGeneration: number;
}

const collection = '/apis/flint.dev/v1alpha1/ingressroutes';

export class RouteWatch {
  /** In the order of their writes. */
  readonly seen: SeenRoute[] = [];
  readonly #api: ApiServer;
  #request: ClientRequest | undefined = undefined;
  #resourceVersion: string;
  #isClosed = false;
  #listeners: (() => void)[] = [];

  private constructor(api: ApiServer, resourceVersion: string) {
    this.#api = api;
    this.#resourceVersion = resourceVersion;
  }

  /** Nothing that is written from now on is missed. */
  static async open(api: ApiServer): Promise<RouteWatch> {
    for (;;) {
      const { status, body } = await api.call('GET', collection);
      // 429: the storage of a CRD that is new is still on its way.
      if (status !== 200) {
        await moment();
        continue;
      }
      const { resourceVersion } = body['metadata'] as { readonly resourceVersion: string };
      const watch = new RouteWatch(api, resourceVersion);
      watch.#connect();
      return watch;
    }
  }

  /** Again when the API server has ended it, which it may do when it likes. */
  #connect(): void {
    if (this.#isClosed) return;
    const path = `${collection}?watch=true&resourceVersion=${this.#resourceVersion}`;
    this.#request = request(new URL(path, this.#api.url), {
      ca: readFileSync(this.#api.caFile),
      headers: { authorization: `Bearer ${this.#api.adminToken}` },
    });
    this.#request.on('error', () => {});
    this.#request.on('response', (response) => {
      response.on('error', () => {});
      let rest = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.#take(line);
      });
    });
    this.#request.on('close', () => this.#connect());
    this.#request.end();
  }

  /** The first version of this route, seen or to be seen, that is like this. */
  async until(name: string, isWanted: (route: SeenRoute) => boolean): Promise<SeenRoute> {
    const tooLong = AbortSignal.timeout(longestWaitMs);
    const last = (): SeenRoute | undefined => this.seen.findLast(({ metadata }) => metadata.name === name);
    for (;;) {
      const found = this.seen.find((route) => route.metadata.name === name && isWanted(route));
      if (found !== undefined) return found;
      if (tooLong.aborted) throw new Error(`${name} stays ${JSON.stringify(last())}`);
      await new Promise<void>((resolve) => {
        this.#listeners.push(resolve);
        tooLong.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#request?.destroy();
  }

  #take(line: string): void {
    const { type, object } = JSON.parse(line) as { readonly type: string; readonly object: SeenRoute };
    assert.notEqual(type, 'ERROR', line);
    if (type !== 'ADDED' && type !== 'MODIFIED') return;
    this.#resourceVersion = object.metadata.resourceVersion;
    this.seen.push(object);
    for (const listener of this.#listeners.splice(0)) listener();
  }
}

/** The condition of this type that is about the object as it is now. */
export function presentCondition({ metadata, status }: SeenRoute, type: string): SeenCondition | undefined {
  return status?.conditions?.find(
    (condition) => condition.type === type && condition.observedGeneration === metadata.generation,
  );
}
