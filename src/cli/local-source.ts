// The options -f and --route, turned into a local cluster: shared by the commands that read files.
import { loadCrdValidators } from '#local/crd-file.ts';
import { LocalCluster } from '#local/local-cluster.ts';
import { ManifestSet } from '#local/manifest-set.ts';
import { objectsOfRouteFlag } from '#local/route-flag.ts';

export interface SourceOptions {
  readonly file: readonly string[];
  readonly route: readonly string[];
}

export interface LocalSource {
  readonly manifests: ManifestSet;
  readonly cluster: LocalCluster;
}

/** Throws, with a message for the user, when there is nothing to read or a --route is malformed. */
export function openLocalSource(options: SourceOptions): LocalSource {
  if (options.file.length + options.route.length === 0)
    throw new Error('nothing to serve: give -f FILE_OR_FOLDER, or --route HOST/PREFIX=ADDR:PORT');
  const objects = options.route.flatMap((text, index) => objectsOfRouteFlag(text, index + 1));
  return {
    manifests: new ManifestSet(options.file, objects),
    cluster: new LocalCluster(loadCrdValidators()),
  };
}
