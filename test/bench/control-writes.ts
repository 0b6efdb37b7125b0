// What the operator writes, seen as everyone who watches generated objects sees it: a name and a size for each write.
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import type { ClientRequest } from 'node:http';
import type { ApiServer } from '../cluster/api-server.ts';
import { headName } from '#model/wire-names.ts';
import type { Stored } from './control-cluster.ts';

export interface Written {
  readonly bytes: number;
  readonly objects: number;
  readonly heads: number;
}

const collection = '/api/v1/namespaces/flint-routes/configmaps';

export class WriteWatch {
  #request: ClientRequest | undefined = undefined;
  #bytes = 0;
  #objects = 0;
  #heads = 0;

  /** From now on. */
  static async open(api: ApiServer): Promise<WriteWatch> {
    const { body } = await api.call('GET', `${collection}?limit=1`);
    const { resourceVersion } = body['metadata'] as { readonly resourceVersion: string };
    const watch = new WriteWatch();
    const url = new URL(
      `${collection}?watch=true&resourceVersion=${resourceVersion}&timeoutSeconds=3600`,
      api.url,
    );
    const headers = { authorization: `Bearer ${api.adminToken}` };
    await new Promise<void>((resolve, reject) => {
      watch.#request = request(url, { ca: readFileSync(api.caFile), headers }, (response) => {
        resolve();
        let rest = '';
        response.setEncoding('utf8');
        response.on('error', () => {});
        response.on('data', (text: string) => {
          const lines = (rest + text).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) if (line !== '') watch.#onLine(line);
        });
      });
      watch.#request.on('error', reject);
      watch.#request.end();
    });
    return watch;
  }

  /** What has been written since the last time. */
  take(): Written {
    const written: Written = { bytes: this.#bytes, objects: this.#objects, heads: this.#heads };
    this.#bytes = 0;
    this.#objects = 0;
    this.#heads = 0;
    return written;
  }

  close(): void {
    this.#request?.destroy();
  }

  #onLine(line: string): void {
    const { type, object } = JSON.parse(line) as { readonly type: string; readonly object: Stored };
    if (type !== 'ADDED' && type !== 'MODIFIED') return;
    this.#bytes += sizeOf(object);
    this.#objects++;
    if (object.metadata.name === headName) this.#heads++;
  }
}

/** Of the content: what the API server adds to it is the same for every object. */
export function sizeOf({ metadata, data = {} }: Stored): number {
  const values = Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value), 0);
  return metadata.name.length + values;
}
