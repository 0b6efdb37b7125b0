// config/ and the chart install the same objects: compared one by one, whatever their order.
//
// Three labels are the chart's alone: app.kubernetes.io/managed-by, app.kubernetes.io/version and helm.sh/chart. The namespace that
// Flint itself runs in is config/'s alone: `helm install --create-namespace` makes it, or whoever installs.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { canonicalJson } from '#model/canonical-json.ts';
import { kubeAssets } from '../cluster/api-server.ts';
import { byId, idOf, parseObjects, release, rendered, whyNoHelm, withoutChartLabels } from './helm.ts';

const assets = kubeAssets();
const skip = 'missing' in assets ? assets.missing : whyNoHelm;
const config = new URL('../../config/', import.meta.url).pathname;

function kustomized(folder: string): readonly KubernetesObject[] {
  if ('missing' in assets) throw new Error(assets.missing);
  const kubectl = join(assets.folder, 'kubectl');
  const { status, stdout, stderr } = spawnSync(kubectl, ['kustomize', join(config, folder)], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return parseObjects(stdout);
}

function charted(values = ''): readonly KubernetesObject[] {
  return rendered(values, ['--include-crds']).map(withoutChartLabels);
}

function assertSame(chart: readonly KubernetesObject[], kustomize: readonly KubernetesObject[]): void {
  const wanted = kustomize.filter((object) => idOf(object) !== `Namespace ${release.namespace}`);
  const [charts, others] = [byId(chart), byId(wanted)];
  assert.deepEqual([...charts.keys()].sort(), [...others.keys()].sort());
  for (const [id, object] of charts) assert.deepEqual(ordered(object), ordered(others.get(id)), id);
}

/** The rules of a role mean the same in any order. */
function ordered(object: KubernetesObject | undefined): unknown {
  const rules = object?.['rules'] as readonly unknown[] | undefined;
  if (rules === undefined) return object;
  return { ...object, rules: rules.map((rule) => canonicalJson(rule)).sort() };
}

describe('config/ and the chart', { skip }, () => {
  test('with defaults', () => {
    const chart = charted();
    assert.ok(chart.length > 15);
    assertSame(chart, kustomized('.'));
  });

  test('where cert-manager is', () => {
    assertSame(charted('certManager: {enabled: true}'), [...kustomized('.'), ...kustomized('cert-manager')]);
  });

  test('with the policy of ownership', () => {
    assertSame(charted('ownershipPolicy: {enabled: true}'), [...kustomized('.'), ...kustomized('ownership')]);
  });

  test('for some namespaces, without anything that belongs to none', () => {
    const values = `
      watchNamespaces: [shop, blog]
      certManager: {enabled: true}
      ingressClass: {create: false}
      routesNamespace: {create: false}`;
    const chart = charted(values).filter(({ kind }) => kind !== 'CustomResourceDefinition');
    for (const object of chart) assert.notEqual(object.metadata.namespace, undefined, idOf(object));
    assertSame(chart, kustomized('namespaced'));
  });
});
