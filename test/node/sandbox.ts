// Whether real nodes can run here, and where: the folder and the cgroup that hack/node-sandbox gave.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kubeAssets } from '../cluster/api-server.ts';
import { environment } from './component.ts';
import { builtBy } from '../cluster/built.ts';

const cgroups = '/sys/fs/cgroup';

export interface Sandbox {
  readonly folder: string;
  readonly cgroup: string;
  /** etcd, kube-apiserver and kubectl. */
  readonly kubeFolder: string;
  /** kubelet, kube-proxy, kube-controller-manager, kube-scheduler, pause and demo. */
  readonly nodeFolder: string;
  readonly cniFolder: string;
}

export type Found = { readonly sandbox: Sandbox } | { readonly missing: string };

/** Asked once a test file: each answer runs scripts. */
export function findSandbox(): Found {
  const { FLINT_NODE_SANDBOX: folder, FLINT_NODE_CGROUP: cgroup, FLINT_NODE_REFUSED: refused } = process.env;
  if (folder === undefined || cgroup === undefined)
    return { missing: refused ?? 'not in a sandbox for nodes: run through hack/node-sandbox' };
  const cniFolder = ['/usr/lib/cni', '/opt/cni/bin'].find((each) => existsSync(join(each, 'portmap')));
  if (cniFolder === undefined) return { missing: 'there are no CNI plugins: run hack/node-packages' };
  for (const program of ['containerd', 'runc', 'ctr', 'openssl'])
    if (spawnSync(program, ['--version'], { env: environment() }).error !== undefined)
      return { missing: `there is no ${program}: run hack/node-packages` };
  const kube = kubeAssets();
  if ('missing' in kube) return kube;
  const node = builtBy('node-assets');
  if ('missing' in node) return node;
  return { sandbox: { folder, cgroup, kubeFolder: kube.folder, nodeFolder: node.path, cniFolder } };
}

/** Makes a cgroup below an existing one, in every hierarchy. */
export function makeCgroup(parent: string, name: string): string {
  const path = join(parent, name);
  const isSecond = existsSync(join(cgroups, 'cgroup.controllers'));
  const hierarchies = isSecond ? ['.'] : readdirSync(cgroups);
  for (const hierarchy of hierarchies.filter((each) => existsSync(join(cgroups, each, parent)))) {
    const made = join(cgroups, hierarchy, path);
    mkdirSync(made);
    // An empty cpuset of version 1 admits nobody.
    if (hierarchy === 'cpuset')
      for (const file of ['cpuset.cpus', 'cpuset.mems'])
        writeFileSync(join(made, file), readFileSync(join(cgroups, hierarchy, parent, file)));
    if (isSecond) {
      const controllers = readFileSync(join(made, 'cgroup.controllers'), 'utf8').trim().split(' ');
      for (const each of controllers) writeFileSync(join(made, 'cgroup.subtree_control'), `+${each}`);
    }
  }
  return path;
}
