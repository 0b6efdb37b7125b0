// Flint on real nodes as a user puts it there: images imported, the chart installed by the real helm.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { imageFile, version } from '../../hack/image/images.ts';
import { run } from './component.ts';
import type { NodeCluster } from './node-cluster.ts';
import { kubeconfig } from './node-files.ts';

const root = new URL('../../', import.meta.url).pathname;
const registry = 'flint.local';
/** The same program under another tag: a release that changes nothing but its digest. */
export const nextVersion = 'next';

/** The images that `make e2e-nodes` has built before, or why there are none. */
export function findImages(): { readonly images: readonly string[] } | { readonly missing: string } {
  const folder = join(root, '.cache/node-images');
  const images = [
    imageFile(folder, 'flint-operator', version),
    imageFile(folder, 'flint-proxy', version),
    imageFile(folder, 'flint-proxy', nextVersion),
  ];
  const absent = images.find((image) => !existsSync(image));
  return absent === undefined ? { images } : { missing: `there is no ${absent}: run make e2e-nodes` };
}

export class Helm {
  readonly #helm: string;
  readonly #kubeconfig: string;

  constructor(helm: string, cluster: NodeCluster) {
    this.#helm = helm;
    this.#kubeconfig = join(cluster.folder, 'admin.kubeconfig');
    const { url, caFile, adminToken } = cluster.api;
    writeFileSync(this.#kubeconfig, kubeconfig(url, readFileSync(caFile, 'utf8'), adminToken), {
      mode: 0o600,
    });
  }

  /** Installs or upgrades, and waits until everything of it is ready. */
  async upgrade(values: Readonly<Record<string, string>>): Promise<void> {
    const all = {
      'image.registry': registry,
      'operator.image.pullPolicy': 'Never',
      'proxy.image.pullPolicy': 'Never',
      // Enough for a test, and it shows that the numbers are followed.
      'proxy.drainSeconds': '5',
      'proxy.graceSeconds': '10',
      'proxy.workers': '2',
      ...values,
    };
    const flags = Object.entries(all).map(([key, value]) => `--set=${key}=${value}`);
    const chart = join(root, 'helm/flint');
    await this.run('upgrade', '--install', 'flint', chart, ...flags, '--wait', '--timeout=120s');
  }

  run(...args: readonly string[]): Promise<string> {
    const access = ['--kubeconfig', this.#kubeconfig, '--namespace', 'flint-system'];
    return run([this.#helm, ...access, ...args]);
  }
}
