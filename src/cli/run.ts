// `flint run`: operator and data plane in one process, on manifests in files.
import { existsSync } from 'node:fs';
import { DataPlane } from '#dataplane/data-plane.ts';
import { Coalesce } from '#local/coalesce.ts';
import { FileWatcher } from '#local/file-watcher.ts';
import { LocalOperator } from '#local/local-operator.ts';
import type { LoadBalancing } from '#model/route-model.ts';
import { openLocalSource } from './local-source.ts';
import type { SourceOptions } from './local-source.ts';
import { openServing } from './serving.ts';
import type { ServingOptions } from './serving.ts';
import type { Stop } from './stop-signal.ts';
import { exitCode } from './terminal.ts';

export interface RunOptions extends SourceOptions, ServingOptions {
  readonly loadBalancing?: LoadBalancing;
}

export async function run(options: RunOptions, stop: Promise<Stop>): Promise<number> {
  for (const path of options.file)
    if (!existsSync(path)) throw new Error(`-f ${path}: there is no such file or folder`);
  const { manifests, cluster } = openLocalSource(options);
  // Nobody maps ports in front of it: where TLS is accepted is where it is found.
  const where = options.https.port === 0 ? {} : { publicHttpsPort: options.https.port };
  const serving = await openServing({ ...where, ...options });
  const { logger } = serving;
  const dataPlane = new DataPlane(serving.dataPlane);
  const { translate } = serving.settings;
  const operator = new LocalOperator(
    manifests,
    cluster,
    { ...translate, loadBalancing: options.loadBalancing ?? translate.loadBalancing },
    { warn: (message) => logger.warn(message) },
  );

  let sequence = 0;
  let digest = '';
  const publishing = new Coalesce(async () => {
    const bundle = operator.build(new Date().toISOString());
    if (bundle.digest === digest) return;
    const applied = await dataPlane.apply(bundle, sequence + 1);
    if (applied.kind !== 'Applied') return;
    ({ digest } = bundle);
    sequence++;
    const revision = sequence;
    await dataPlane.served(revision);
    logger.info(
      { revision, digest: bundle.digest.slice(0, 12), hosts: cluster.claims.size },
      'serving a new revision',
    );
  });

  const watcher = new FileWatcher(
    options.file,
    () => {
      publishing
        .run()
        .catch((error: unknown) => logger.error({ err: error }, 'a change could not be published'));
    },
    (error) => logger.error({ err: error }, 'files are no longer watched'),
  );
  try {
    // Workers load while the manifests are translated.
    dataPlane.prepare();
    // Who is told to stop meanwhile need not have it any more.
    const adminPort = await Promise.race([dataPlane.startAdmin(), stop.then(() => undefined)]);
    await publishing.run();
    logger.info({ ...dataPlane.ports, admin: adminPort, workers: dataPlane.revision.workers }, 'listening');
  } catch (error) {
    watcher.close();
    dataPlane.terminate();
    throw error;
  }

  const { signal } = await stop;
  watcher.close();
  // Whoever presses Ctrl-C has no load balancer that must notice first.
  const delayMs = signal === 'SIGTERM' ? options.drainDelay : 0;
  logger.info({ signal, delayMs, graceMs: options.grace }, 'stopping: no longer ready');
  await dataPlane.drain(delayMs, options.grace);
  logger.info('stopped');
  serving.close();
  return exitCode.ok;
}
