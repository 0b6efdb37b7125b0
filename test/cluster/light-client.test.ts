// The light client of the data plane, on both runtimes, against a real API server: lists, watches, refusals, deadlines.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiServer, kubeAssets } from './api-server.ts';

const assets = kubeAssets();
const skip = 'missing' in assets ? assets.missing : false;
const root = new URL('../../', import.meta.url).pathname;

describe('the light client', { skip }, () => {
  let api: ApiServer;
  let folder: string;

  before(async () => {
    api = await ApiServer.start('folder' in assets ? assets.folder : '');
    folder = mkdtempSync(join(tmpdir(), 'flint-client-'));
    writeFileSync(join(folder, 'ca.crt'), readFileSync(api.caFile));
    writeFileSync(join(folder, 'token'), `${api.adminToken}\n`);
  });
  after(() => {
    api.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const runtime of ['node', 'bun'])
    test(`on ${runtime}: a list, changes as they come, a missing object, a restart of the API server`, async (context) => {
      const namespace = `client-${runtime}`;
      await api.call('POST', '/api/v1/namespaces', {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: namespace },
      });
      const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;
      const create = (name: string): Promise<unknown> =>
        api.call('POST', configMaps, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name },
          data: { text: 'höst' },
        });
      await create('first');
      const child = spawn(
        'hack/runtime',
        [runtime, 'test/cluster/light-client.ts', api.url, folder, namespace],
        {
          cwd: root,
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      context.after(() => child.kill('SIGKILL'));
      const seen: string[] = [];
      const news = new Set<() => void>();
      let rest = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        seen.push(...lines);
        for (const tell of news) tell();
      });
      const until = async (line: string): Promise<void> => {
        while (!seen.includes(line)) {
          assert.equal(child.exitCode, null, seen.join('\n'));
          await new Promise<void>((resolve) => news.add(resolve));
        }
      };
      await until('missing 404 NotFound');
      await until('all first=höst');
      await create('second');
      await until('all first=höst second=höst');
      await api.call('DELETE', `${configMaps}/first`);
      await until('all second=höst');
      await api.restart();
      await create('third');
      await until('all second=höst third=höst');
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      assert.deepEqual(await exited, [0, null], 'nothing is left that keeps it alive');
    });
});
