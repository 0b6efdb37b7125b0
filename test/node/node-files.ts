// The configuration files of a node's programs. No I/O here.

/** What a node's files depend on. */
export interface NodeSettings {
  readonly name: string;
  readonly address: string;
  /** The addresses of its pods, `10.244.1.0/24`. */
  readonly podRange: string;
  /** The addresses of all pods. */
  readonly clusterRange: string;
  /** The node's own part of the cgroup hierarchies. */
  readonly cgroup: string;
  /** Where its files are. */
  readonly folder: string;
  readonly cniFolder: string;
}

/** A kubeconfig for one user by token. */
export function kubeconfig(server: string, ca: string, token: string): string {
  return json({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': toBase64(ca) } }],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  });
}

export const pauseImage = 'flint.local/pause:1';

/** containerd 1.6 and later of the 1.x line. */
export function containerdConfig({ folder, cniFolder }: NodeSettings): string {
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
# What this machine has no use for and may lack the tools of.
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.internal.v1.opt",
]
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${pauseImage}"
disable_apparmor = true
# A root without CAP_SYS_RESOURCE may not lower the score below its own.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${cniFolder}"
conf_dir = "${folder}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
`;
}

/**
 * Routed pods (ptp) and not bridged ones: a reply between two pods of one node passes the node's own hooks whatever
 * br_netfilter says, so a Service's address is always translated back.
 */
export function cniConfig({ podRange }: NodeSettings): string {
  return json({
    cniVersion: '0.4.0',
    name: 'pods',
    plugins: [
      {
        type: 'ptp',
        ipam: { type: 'host-local', ranges: [[{ subnet: podRange }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  });
}

export function kubeletConfig({ folder, cgroup }: NodeSettings, clientCaFile: string): string {
  return json({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: clientCaFile },
    },
    authorization: { mode: 'Webhook' },
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    cgroupDriver: 'cgroupfs',
    cgroupRoot: cgroup,
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    resolvConf: `${folder}/resolv.conf`,
    volumePluginDir: `${folder}/volume-plugins`,
    // The machine's disk is shared with whatever else is there: a full one is not the tests' business.
    evictionHard: { 'nodefs.available': '0%', 'imagefs.available': '0%', 'nodefs.inodesFree': '0%' },
    imageGCHighThresholdPercent: 100,
    nodeStatusUpdateFrequency: '2s',
    nodeLeaseDurationSeconds: 10,
    // Tests look at what is there now.
    syncFrequency: '10s',
  });
}

export function kubeProxyConfig(settings: NodeSettings): string {
  return json({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: `${settings.folder}/kube-proxy.kubeconfig` },
    hostnameOverride: settings.name,
    clusterCIDR: settings.clusterRange,
    mode: 'nftables',
    nftables: { minSyncPeriod: '100ms' },
    oomScoreAdj: 0,
    // The limits of connection tracking are the machine's, not a namespace's.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  });
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function toBase64(text: string): string {
  return Buffer.from(text).toString('base64');
}
