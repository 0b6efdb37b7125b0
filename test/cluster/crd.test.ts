// The CRD on a real API server: it says what `flint check` says of every case, and stores what it was given.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { withoutNulls } from '#api/kubernetes-object.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { crdPath } from '#local/crd-file.ts';
import { crdCases } from '../crd/crd-case.ts';
import { ApiServer, kubeAssets } from './api-server.ts';

const assets = kubeAssets();
const skip = 'missing' in assets ? assets.missing : false;

/** A refusal that only an update of the status can meet is tried there: a create drops the status. */
function pathOf(object: KubernetesObject): string {
  const namespace = object.metadata.namespace ?? 'default';
  return `/apis/flint.dev/v1alpha1/namespaces/${namespace}/ingressroutes`;
}

const strictDryRun = '?dryRun=All&fieldValidation=Strict';

describe('the CRD on a real API server', { skip }, () => {
  let server: ApiServer;

  before(async () => {
    server = await ApiServer.start('folder' in assets ? assets.folder : '');
    // Client-side apply, which keeps a copy of the whole in an annotation: the CRD must be small enough for it.
    await server.kubectl(['apply', '-f', crdPath.pathname]);
    await server.kubectl([
      'wait',
      '--for=condition=Established',
      'crd/ingressroutes.flint.dev',
      '--timeout=30s',
    ]);
  });

  after(() => server.stop());

  for (const { name, object, at } of crdCases('refused'))
    test(`refused: ${name}`, async () => {
      if (at === 'status' || at.startsWith('status.')) {
        await refusesStatus(object);
        return;
      }
      const { status, body } = await server.call('POST', `${pathOf(object)}${strictDryRun}`, object);
      assert.ok([400, 422].includes(status), `${status} ${String(body['message'])}`);
    });

  for (const { name, object } of crdCases('accepted'))
    test(`accepted, and read back as it was: ${name}`, async () => {
      const { status, body } = await server.call('POST', `${pathOf(object)}?fieldValidation=Strict`, object);
      assert.equal(status, 201, String(body['message']));
      const stored = await server.call('GET', `${pathOf(object)}/${object.metadata.name}`);
      assert.deepEqual(stored.body['spec'], withoutNulls(object)['spec']);
      await server.call('DELETE', `${pathOf(object)}/${object.metadata.name}`);
    });

  async function refusesStatus(object: KubernetesObject): Promise<void> {
    const { status: _, ...rest } = object;
    const created = await server.call('POST', pathOf(object), rest);
    assert.equal(created.status, 201, String(created.body['message']));
    const path = `${pathOf(object)}/${object.metadata.name}`;
    const metadata = created.body['metadata'] as Record<string, unknown>;
    const updated = await server.call('PUT', `${path}/status${strictDryRun}`, {
      ...object,
      metadata: { ...object.metadata, resourceVersion: metadata['resourceVersion'] },
    });
    await server.call('DELETE', path);
    assert.ok([400, 422].includes(updated.status), `${updated.status} ${String(updated.body['message'])}`);
  }
});
