// All manifests of a run: what the files held when they last made sense, and the routes of the command line.
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { manifestFilesOf, readManifestFile } from './manifest-files.ts';
import { parseManifests, positionText } from './manifests.ts';
import type { Manifest } from './manifests.ts';

/** Told what is wrong with a file; its last good content stays. */
export type OnFileFault = (message: string) => void;

export class ManifestSet {
  readonly #paths: readonly string[];
  readonly #fixed: readonly Manifest[];
  readonly #files = new Map<string, { text: string; manifests: readonly Manifest[] }>();

  constructor(paths: readonly string[], fixed: readonly KubernetesObject[]) {
    this.#paths = paths;
    this.#fixed = fixed.map((object) => ({
      object,
      locate: () => ({ file: '--route', line: 1, column: 1 }),
    }));
  }

  /** Reads again what has changed. A file that is gone takes its objects along; a folder that cannot be read does not. */
  read(onFault: OnFileFault): readonly Manifest[] {
    const present = new Set<string>();
    for (const path of this.#paths)
      for (const file of this.#filesOf(path, onFault)) {
        present.add(file);
        this.#readFile(file, onFault);
      }
    for (const file of this.#files.keys()) if (!present.has(file)) this.#files.delete(file);
    return [...this.#fixed, ...[...this.#files.values()].flatMap((file) => file.manifests)];
  }

  #filesOf(path: string, onFault: OnFileFault): readonly string[] {
    try {
      return manifestFilesOf(path);
    } catch (error) {
      onFault(`${path} cannot be read (${messageOf(error)}); what it held stays`);
      return [...this.#files.keys()].filter((file) => file === path || file.startsWith(`${path}/`));
    }
  }

  #readFile(file: string, onFault: OnFileFault): void {
    const known = this.#files.get(file);
    let text: string;
    try {
      text = readManifestFile(file);
    } catch (error) {
      onFault(
        `${file} cannot be read (${messageOf(error)}); ${known === undefined ? 'it is left out' : 'what it held stays'}`,
      );
      if (known === undefined) this.#files.set(file, { text: '', manifests: [] });
      return;
    }
    if (known?.text === text) return;
    const { manifests, faults } = parseManifests(text, file);
    for (const { position, message } of faults)
      onFault(
        `${positionText(position)}: ${message}; ${known === undefined ? 'the file is left out' : 'its last good content stays'}`,
      );
    if (faults.length === 0) this.#files.set(file, { text, manifests });
    else this.#files.set(file, { text, manifests: known?.manifests ?? [] });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
