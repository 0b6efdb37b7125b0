// cert-manager on real nodes as a user puts it there: its images imported, its own chart installed by the real helm.
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownArchitecture, writeImage } from '../../hack/oci-image.ts';
import type { Layer } from '../../hack/oci-image.ts';
import { moment } from '../cluster/test-cluster.ts';
import type { Helm } from './helm.ts';
import type { NodeCluster } from './node-cluster.ts';

const registry = 'flint.local';
const tag = 'test';
export const solverImage = `${registry}/cert-manager-acmesolver:${tag}`;

/** Controller, webhook, CA injector and solver, from the programs of `assets`, into a new folder in `parent`. */
export async function writeCertManagerImages(assets: string, parent: string): Promise<string[]> {
  const folder = mkdtempSync(join(parent, 'cert-manager-'));
  const layerOf = (program: string): Layer => ({
    entries: [{ kind: 'file', path: program, mode: 0o755, content: readFileSync(join(assets, program)) }],
    createdBy: 'hack/cert-manager-assets',
    compression: { kind: 'zstd', level: 1 },
  });
  const write = async (part: string, layer: Layer, entrypoint: readonly string[]): Promise<string> => {
    const file = join(folder, `${part}.tar`);
    const name = `${registry}/cert-manager-${part}:${tag}`;
    const config = { User: '1000', Entrypoint: entrypoint, WorkingDir: '/' };
    await writeImage({ name, architecture: ownArchitecture, layers: [layer], config }, file);
    return file;
  };
  const [all, solver] = [layerOf('cert-manager'), layerOf('acmesolver')];
  return [
    await write('controller', all, ['/cert-manager', 'controller']),
    await write('webhook', all, ['/cert-manager', 'webhook']),
    await write('cainjector', all, ['/cert-manager', 'cainjector']),
    await write('acmesolver', solver, ['/acmesolver']),
  ];
}

/** Its CRDs are stored when this resolves; its pods are still starting. */
export async function installCertManager(helm: Helm, crds: string, nameserver: string): Promise<void> {
  const image = (prefix: string, part: string): Record<string, string> => ({
    [`${prefix}image.repository`]: `${registry}/cert-manager-${part}`,
    [`${prefix}image.tag`]: tag,
    [`${prefix}image.pullPolicy`]: 'Never',
  });
  const values = {
    'crds.enabled': 'true',
    ...image('', 'controller'),
    ...image('webhook.', 'webhook'),
    ...image('cainjector.', 'cainjector'),
    ...image('acmesolver.', 'acmesolver'),
    // Asks until the webhook answers, as `applyOnceAdmitted` does.
    'startupapicheck.enabled': 'false',
    // There is no DNS in the cluster.
    'extraArgs[0]': `--acme-http01-solver-nameservers=${nameserver}`,
  };
  const flags = Object.entries(values).map(([key, value]) => `--set=${key}=${value}`);
  // The chart lies beside the CRDs in the Go module.
  const chart = join(crds, '../charts/cert-manager');
  await helm.run('upgrade', '--install', 'cert-manager', chart, '--namespace=cert-manager', ...flags);
}

/** Applies these, again and again until the webhook is there to admit them: an API server that cannot ask it refuses. */
export async function applyOnceAdmitted(cluster: NodeCluster, ...objects: readonly object[]): Promise<void> {
  const deployments = ['cert-manager', 'cert-manager-cainjector', 'cert-manager-webhook'];
  for (const name of deployments)
    await cluster.kubectl([
      '-n',
      'cert-manager',
      'rollout',
      'status',
      `deployment/${name}`,
      '--timeout=120s',
    ]);
  const endMs = performance.now() + 60_000;
  for (;;) {
    const refusal = await cluster.apply(...objects).then(() => undefined, String);
    if (refusal === undefined) return;
    if (performance.now() > endMs) throw new Error(refusal);
    await moment(500);
  }
}
