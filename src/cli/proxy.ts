// `flint proxy`: the data plane of a cluster. It follows the head and serves what the head names.
import { BundleFollower } from '#dataplane/bundle-follower.ts';
import { DataPlane } from '#dataplane/data-plane.ts';
import { ApiClient } from '#kube/api-client.ts';
import { podTransport } from '#kube/pod-transport.ts';
import { openServing } from './serving.ts';
import type { ServingOptions } from './serving.ts';
import { podNameOf } from './ready.ts';
import type { Stop } from './stop-signal.ts';
import { exitCode } from './terminal.ts';

export interface ProxyOptions extends ServingOptions {
  readonly routesNamespace: string;
  readonly nodeName?: string;
  readonly podName?: string;
  readonly serviceAccount: string;
}

export async function proxy(options: ProxyOptions, stop: Promise<Stop>): Promise<number> {
  const serving = await openServing(options);
  const { logger } = serving;
  const client = new ApiClient(podTransport(process.env, options.serviceAccount));
  const podName = podNameOf(options);
  const dataPlane = new DataPlane({
    ...serving.dataPlane,
    ...(podName === undefined ? {} : { podName }),
    nodeName: options.nodeName ?? process.env['FLINT_NODE_NAME'] ?? '',
    contactAgeSeconds: () => follower.contactAgeSeconds,
  });
  const ending = new AbortController();
  const follower = new BundleFollower({
    client,
    namespace: options.routesNamespace,
    target: dataPlane,
    logger,
    signal: ending.signal,
  });

  // Side by side: workers load while the first table is on its way.
  dataPlane.prepare();
  const following = follower.run();
  const announced = dataPlane.startAdmin().then((admin) => {
    logger.info({ admin, namespace: options.routesNamespace }, 'not ready: waiting for the first table');
    return stop;
  });
  const stopped = await Promise.race([stop, announced, following.then(() => undefined)]).catch(
    (error: unknown) => {
      // A port is taken, say.
      ending.abort();
      dataPlane.terminate();
      client.close();
      throw error;
    },
  );

  const { drainDelay: delayMs, grace: graceMs } = options;
  logger.info({ signal: stopped?.signal, delayMs, graceMs }, 'stopping: no longer ready');
  // Routes still change for whoever is served meanwhile.
  await dataPlane.drain(delayMs, graceMs);
  ending.abort();
  await following;
  client.close();
  logger.info('stopped');
  serving.close();
  return exitCode.ok;
}
