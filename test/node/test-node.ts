// One node: namespaces held by a process of its own, containerd, kubelet and kube-proxy in them.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Component, environment, run } from './component.ts';
import { cniConfig, containerdConfig, kubeProxyConfig, kubeletConfig } from './node-files.ts';
import type { NodeSettings } from './node-files.ts';

/** What a node is told of the cluster. */
export interface Membership {
  readonly kubeletKubeconfig: string;
  readonly proxyKubeconfig: string;
  /** Whose certificates the kubelet takes for the API server's. */
  readonly clientCaFile: string;
}

/** Runs as the first process of the node's PID namespace and becomes the one that reaps. */
const init = `set -eu
echo "$2" >/proc/sys/kernel/hostname
mount -t tmpfs -o mode=755 tmpfs /run
mount --bind "$1/var-lib" /var/lib
mount --bind "$1/var-log" /var/log
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
echo ready
exec "$3"
`;

export class TestNode {
  readonly name: string;
  readonly address: string;
  readonly #settings: NodeSettings;
  readonly #programs: string;
  readonly #logs: string;
  readonly #holder: ChildProcess;
  /** The node's first process, as seen from outside. */
  #pid = 0;
  #components: Component[] = [];

  private constructor(settings: NodeSettings, programs: string, logs: string) {
    this.name = settings.name;
    this.address = settings.address;
    this.#settings = settings;
    this.#programs = programs;
    this.#logs = logs;
    const own = '--net --mount --pid --uts --ipc --fork --kill-child --mount-proc --propagation shared';
    const command = [...own.split(' '), 'sh', '-c', init, 'init', settings.folder, settings.name];
    const log = openSync(join(logs, 'namespaces.log'), 'a');
    this.#holder = spawn('unshare', [...command, join(programs, 'pause')], {
      stdio: ['ignore', 'pipe', log],
      env: environment(),
    });
    closeSync(log);
  }

  /** With its network and containerd; the kubelet comes with `join`. */
  static async start(
    settings: NodeSettings,
    bridge: string,
    programs: string,
    logs: string,
  ): Promise<TestNode> {
    for (const each of ['var-lib', 'var-log', 'cni'])
      mkdirSync(join(settings.folder, each), { recursive: true });
    mkdirSync(logs, { recursive: true });
    const write = (name: string, text: string): void => writeFileSync(join(settings.folder, name), text);
    write('containerd.toml', containerdConfig(settings));
    write('cni/10-pods.conflist', cniConfig(settings));
    write('resolv.conf', '');
    const node = new TestNode(settings, programs, logs);
    try {
      await node.#untilHeld();
      await node.#connect(bridge);
      node.#begin('containerd', ['containerd', '--config', join(settings.folder, 'containerd.toml')]);
      await node.#untilContainerd();
    } catch (error) {
      await node.powerOff();
      throw error;
    }
    return node;
  }

  /** The kubelet registers the node. */
  join(membership: Membership): void {
    const { folder } = this.#settings;
    const write = (name: string, text: string): void =>
      writeFileSync(join(folder, name), text, { mode: 0o600 });
    write('kubelet.kubeconfig', membership.kubeletKubeconfig);
    write('kube-proxy.kubeconfig', membership.proxyKubeconfig);
    write('kubelet.json', kubeletConfig(this.#settings, membership.clientCaFile));
    write('kube-proxy.json', kubeProxyConfig(this.#settings));
    this.startKubelet();
    this.#begin('kube-proxy', [join(this.#programs, 'kube-proxy'), `--config=${folder}/kube-proxy.json`]);
  }

  startKubelet(): void {
    const { folder } = this.#settings;
    this.#begin('kubelet', [
      join(this.#programs, 'kubelet'),
      `--config=${folder}/kubelet.json`,
      `--kubeconfig=${folder}/kubelet.kubeconfig`,
      `--hostname-override=${this.name}`,
      `--node-ip=${this.address}`,
    ]);
  }

  /** SIGKILL for one of its programs: containers live on. */
  async kill(program: 'containerd' | 'kubelet' | 'kube-proxy'): Promise<void> {
    const [killed, others] = [
      this.#components.filter(({ name }) => name === program),
      this.#components.filter(({ name }) => name !== program),
    ];
    this.#components = others;
    for (const component of killed) await component.kill();
  }

  /** Every process of it is gone at once, containers and all, as when the plug is pulled. */
  async powerOff(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    const ended = once(this.#holder, 'exit');
    // The first process of a PID namespace takes everybody along; before it is known, unshare does that.
    if (this.#pid > 0) process.kill(this.#pid, 'SIGKILL');
    else this.#holder.kill('SIGKILL');
    await ended;
    for (const component of this.#components) await component.kill();
  }

  /** Runs a command on the node. */
  run(command: readonly string[], input = ''): Promise<string> {
    return run([...this.#enter(), ...command], input);
  }

  /** From an OCI layout in a tar, for the kubelet to find: `imagePullPolicy: Never`. */
  async importImage(tar: string): Promise<void> {
    await this.run(['ctr', '-n', 'k8s.io', 'images', 'import', tar]);
  }

  assertAlive(): void {
    for (const component of this.#components) component.assertAlive();
  }

  #begin(name: string, command: readonly string[]): void {
    // nsenter stays outside and waits: whoever kills it kills the program, too.
    const entered = [...this.#enter(), 'setpriv', '--pdeathsig', 'KILL', ...command] as const;
    this.#components.push(new Component(name, this.#logs, entered));
  }

  #enter(): readonly [string, ...string[]] {
    return ['nsenter', '--target', String(this.#pid), '--net', '--mount', '--pid', '--uts', '--ipc', '--'];
  }

  async #untilHeld(): Promise<void> {
    const { stdout, pid } = this.#holder;
    if (stdout === null || pid === undefined) throw new Error('unshare did not start');
    const ended = once(this.#holder, 'exit').then(() => {
      throw new Error(`the namespaces of ${this.name} could not be made`);
    });
    ended.catch(() => undefined);
    await Promise.race([once(stdout, 'data'), ended]);
    this.#pid = childOf(pid);
  }

  async #connect(bridge: string): Promise<void> {
    const { address, name } = this.#settings;
    const gateway = address.replace(/\.\d+$/, '.1');
    // That of a node which has ended goes with its namespace, and the kernel takes its time for that.
    await run(['ip', 'link', 'delete', name]).catch(() => undefined);
    await run([
      'ip',
      'link',
      'add',
      name,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      String(this.#pid),
    ]);
    await run(['ip', 'link', 'set', name, 'master', bridge, 'up']);
    const commands = [
      `address add ${address}/24 dev eth0`,
      'link set eth0 up',
      `route add default via ${gateway}`,
    ];
    await this.run(['ip', '-batch', '-'], commands.join('\n'));
  }

  async #untilContainerd(): Promise<void> {
    for (let attempt = 0; attempt < 300; attempt++) {
      this.assertAlive();
      try {
        await this.run(['ctr', 'version']);
        return;
      } catch {
        // Not listening yet; there is no event for that.
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`containerd of ${this.name} does not answer`);
  }
}

/** The one child of a process. The kernel lists children only where it was built to, so all are asked for their parent. */
function childOf(parent: number): number {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      // After the command's name, which may hold anything: state, then the parent.
      if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent) return Number(entry);
    } catch {
      // It has ended since it was listed.
    }
  }
  throw new Error(`process ${parent} has no child`);
}
