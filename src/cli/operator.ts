// `flint operator`: the control plane of a cluster. Every replica stands for election; the leader does the work.
import { hostname } from 'node:os';
import { randomUUID } from 'node:crypto';
import { Election } from '#cluster/election.ts';
import { ClusterObjects } from '#cluster/objects.ts';
import { ApiClient, ApiError } from '#kube/api-client.ts';
import type { ApiTransport } from '#kube/api-transport.ts';
import { podTransport } from '#kube/pod-transport.ts';
import type { LoadBalancing } from '#model/route-model.ts';
import { addressOf } from '#operator/addresses.ts';
import { askRevision } from '#operator/ask-revision.ts';
import { Operator } from '#operator/operator.ts';
import type { OperatorSnapshot } from '#operator/operator.ts';
import { LostLeadership } from '#operator/publisher.ts';
import { AdminServer } from '#telemetry/admin-server.ts';
import { createLogger } from '#telemetry/log.ts';
import { createOperatorMetrics } from '#telemetry/operator-metrics.ts';
import type { HostPort, NamespacedName } from './program.ts';
import { loadSettings } from './settings.ts';
import type { SettingsOptions } from './settings.ts';
import type { Stop } from './stop-signal.ts';
import { exitCode } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export interface OperatorCommandOptions extends SettingsOptions {
  readonly kubeconfig?: string;
  readonly serviceAccount: string;
  readonly watchNamespace: readonly string[];
  readonly routesNamespace: string;
  readonly systemNamespace: string;
  readonly proxySelector: string;
  readonly publishAddress: readonly string[];
  readonly publishService?: NamespacedName;
  readonly clusterScopedReads: 'on' | 'off';
  readonly ingressClass?: string;
  readonly admin: HostPort;
  readonly leaseDuration: number;
  readonly chunkRetention: number;
  readonly loadBalancing?: LoadBalancing;
  readonly logLevel: string;
}

/** Every namespace that is watched by itself takes half a dozen. */
const podConnections = 1024;

/** In a pod by its service account; elsewhere, or where a kubeconfig is named, by the official client. */
async function openTransport({ kubeconfig, serviceAccount }: OperatorCommandOptions): Promise<ApiTransport> {
  if (kubeconfig === undefined && process.env['KUBERNETES_SERVICE_HOST'] !== undefined)
    return podTransport(process.env, serviceAccount, podConnections);
  const { KubeConfigTransport, loadKubeConfig } = await import('#cluster/kube-config-transport.ts');
  return new KubeConfigTransport(loadKubeConfig(kubeconfig));
}

const leaseName = 'flint-operator';
const shortestLeaseMs = 1000;

/** What a follower counts. */
const idleSnapshot: OperatorSnapshot = {
  sequence: 0,
  publishWrites: 0,
  publishBytes: 0,
  statusWrites: 0,
  failures: 0,
  repairs: 0,
  members: 0,
  contactAgeSeconds: 0,
  cycleSeconds: 0,
  routes: new Map(),
  certificates: new Map(),
};

export async function operator(
  options: OperatorCommandOptions,
  terminal: Terminal,
  stop: Promise<Stop>,
): Promise<number> {
  if (options.leaseDuration < shortestLeaseMs)
    throw new Error(`--lease-duration ${options.leaseDuration}: it must be at least ${shortestLeaseMs} ms`);
  const readsClusterScoped = options.clusterScopedReads === 'on';
  if (readsClusterScoped === (options.ingressClass !== undefined))
    throw new Error(
      '--ingress-class is needed with --cluster-scoped-reads off, and has no meaning without it',
    );
  const { translate } = await loadSettings(options);
  const logger = createLogger(options.logLevel);
  const client = new ApiClient(await openTransport(options));
  const identity = `${hostname()}_${randomUUID()}`;
  const ending = new AbortController();
  let leader: Operator | undefined = undefined as Operator | undefined;
  let electionFailures = 0;

  const election = new Election({
    objects: new ClusterObjects(client),
    namespace: options.systemNamespace,
    name: leaseName,
    identity,
    leaseMs: options.leaseDuration,
    // As client-go has it: a holder gives up well before a follower may begin, and tries several times before that.
    renewDeadlineMs: (options.leaseDuration * 2) / 3,
    retryMs: options.leaseDuration / 7.5,
    lead: async (leadership) => {
      leader = new Operator(
        {
          client,
          identity,
          watchNamespaces: options.watchNamespace,
          routesNamespace: options.routesNamespace,
          systemNamespace: options.systemNamespace,
          proxySelector: options.proxySelector,
          readsClusterScoped,
          publishAddresses: options.publishAddress.map(addressOf),
          publishService: options.publishService,
          chunkRetentionMs: options.chunkRetention,
          translate: {
            ...translate,
            loadBalancing: options.loadBalancing ?? translate.loadBalancing,
            assumedClass: options.ingressClass ?? '',
          },
          ask: askRevision,
          log: logger,
        },
        leadership,
      );
      try {
        await leader.run();
      } finally {
        leader = undefined;
        logger.info('no longer leading');
      }
    },
    onError: (error) => {
      electionFailures++;
      if (error instanceof LostLeadership || error instanceof ApiError)
        logger.warn({ error: error.message }, 'the lease');
      else logger.warn({ err: error }, 'the lease');
    },
    signal: ending.signal,
  });

  const registry = createOperatorMetrics(() => {
    const snapshot = leader?.snapshot ?? idleSnapshot;
    const failures = snapshot.failures + electionFailures;
    // Whoever reaches nobody leads no more, and is as stale as can be.
    const contactAgeSeconds = Math.max(snapshot.contactAgeSeconds, election.contactAgeSeconds);
    return { ...snapshot, failures, contactAgeSeconds, isLeading: election.isLeading };
  });
  const admin = new AdminServer({
    // A follower is as ready as a leader: it waits for its turn.
    isReady: () => true,
    metrics: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  });
  const port = await admin.listen(options.admin);
  logger.info({ admin: port, identity }, 'standing for election');

  const standing = election.run();
  const { signal } = await stop;
  logger.info({ signal }, 'stopping: giving up the lease');
  ending.abort();
  await standing;
  admin.close();
  client.close();
  logger.info('stopped');
  // A connection that is still being opened would keep the process for ten seconds.
  terminal.exit(exitCode.ok);
  return exitCode.ok;
}
