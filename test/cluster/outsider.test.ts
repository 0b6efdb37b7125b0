// Others build on IngressRoutes, too: an operator of a third party registers the CRD and sees routes become Ready.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { crdPath } from '#local/crd-file.ts';
import { simpleRoute, service, yaml } from '../e2e/manifests.ts';
import { TestCluster, backendAddress, whyNoCluster } from './test-cluster.ts';

const skip = whyNoCluster() ?? false;
const root = new URL('../../', import.meta.url).pathname;

describe('an outsider', { skip }, () => {
  let cluster: TestCluster;

  before(async () => {
    cluster = await TestCluster.start(1);
    await cluster.startOperator({ usesKubeconfig: true });
    await cluster.untilProxiesReady();
  });
  after(() => cluster.stop());

  test('it registers the CRD, and sees a route appear, become Ready, and go', async (context) => {
    const child = spawn('hack/runtime', ['node', 'test/cluster/outsider.js', crdPath.pathname], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, KUBECONFIG: cluster.adminKubeconfig(), NODE_NO_WARNINGS: '1' },
    });
    context.after(() => child.kill('SIGKILL'));
    const lines: Readonly<Record<string, string>>[] = [];
    const listeners = new Set<() => void>();
    let [rest, errors] = ['', ''];
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) lines.push(JSON.parse(part) as Record<string, string>);
      for (const listener of listeners) listener();
    });
    const until = async (
      what: string,
      isIt: (line: Readonly<Record<string, string>>) => boolean,
    ): Promise<void> => {
      while (!lines.some(isIt)) {
        assert.equal(child.exitCode, null, errors);
        await new Promise<void>((resolve, reject) => {
          const timer = setTimeout(
            () => reject(new Error(`${what} never came: ${JSON.stringify(lines)}${errors}`)),
            20_000,
          );
          listeners.add(() => {
            clearTimeout(timer);
            resolve();
          });
        });
      }
    };
    await until('watching', ({ watching }) => watching === 'ingressroutes');
    assert.equal(lines[0]?.['registered'], 'ingressroutes.flint.dev/v1alpha1');
    await cluster.apply(yaml(...service('seen', [80], backendAddress), simpleRoute('seen.test', 'seen')));
    await until('Ready', ({ name, ready }) => name === 'seen-test' && ready === 'True');
    await cluster.delete('ir', 'seen-test');
    await until('DELETED', ({ type, name }) => type === 'DELETED' && name === 'seen-test');
  });
});
