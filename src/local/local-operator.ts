// The operator's part of `flint run`: manifests -> view -> model -> bundle -> data plane, at every change of a file.
import { refText } from '#api/kubernetes-object.ts';
import { encode } from '#model/bundle.ts';
import type { Bundle } from '#model/bundle.ts';
import type { TranslateSettings } from '#translate/cluster-view.ts';
import { translate } from '#translate/translate.ts';
import type { Verdict } from '#translate/verdict.ts';
import type { LocalCluster } from './local-cluster.ts';
import type { ManifestSet } from './manifest-set.ts';
import { positionText } from './manifests.ts';

export interface LocalLog {
  warn(message: string): void;
}

export class LocalOperator {
  readonly #manifests: ManifestSet;
  readonly #cluster: LocalCluster;
  readonly #settings: TranslateSettings;
  readonly #log: LocalLog;
  /** What was said last of each object, so that nothing is said twice. */
  #said = new Set<string>();

  constructor(manifests: ManifestSet, cluster: LocalCluster, settings: TranslateSettings, log: LocalLog) {
    this.#manifests = manifests;
    this.#cluster = cluster;
    this.#settings = settings;
    this.#log = log;
  }

  /** Reads the files and returns what they amount to. Whatever is wrong with them is logged, once. */
  build(now: string): Bundle {
    const said = new Set<string>();
    const warn = (message: string): void => {
      said.add(message);
      if (!this.#said.has(message)) this.#log.warn(message);
    };
    const manifests = this.#manifests.read(warn);
    for (const { object, position, problem, isKept } of this.#cluster.replace(manifests))
      warn(
        `${positionText(position)}: ${refText(object)} is refused: ${problem.at} ${problem.message}` +
          (isKept ? '; its last good version stays' : ''),
      );
    const { model, verdicts, claims, problems } = translate(this.#cluster.view(now), this.#settings);
    this.#cluster.claims = claims;
    this.#cluster.lastGood = new Map(model.certificates.map((certificate) => [certificate.id, certificate]));
    for (const { at, message } of problems) warn(`the setting ${at}: ${message}`);
    for (const verdict of verdicts) for (const message of messagesOf(verdict)) warn(message);
    this.#said = said;
    return encode(model);
  }
}

function messagesOf(verdict: Verdict): readonly string[] {
  const object = refText(verdict.object);
  switch (verdict.kind) {
    case 'Accepted':
      return verdict.problems.map(({ reason, at, message }) => `${object}: ${reason} at ${at}: ${message}`);
    case 'Rejected':
      return verdict.problems.map(
        ({ reason, at, message }) => `${object} is not served: ${reason} at ${at}: ${message}`,
      );
    case 'NotOurs':
      return [`${object} is not ours: ${verdict.message}`];
  }
}
