// Tells when anything below some paths may have changed; what did is for the reader to find out.
import { statSync, watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

/** Editors write in several steps; a change is reported when it has been quiet for this long, at the latest after... */
const quietMs = 40;
/** ...this long under a steady stream of events. */
const longestMs = 500;

export class FileWatcher {
  readonly #watchers: FSWatcher[] = [];
  readonly #onChange: () => void;
  #timer: NodeJS.Timeout | undefined = undefined;
  #firstEventMs = 0;

  /**
   * Folders are watched with everything below them, files through their folder: an editor that replaces a file, or a
   * mounted ConfigMap that swaps a link, would leave a watch on the file itself behind.
   */
  constructor(paths: readonly string[], onChange: () => void, onError: (error: Error) => void) {
    this.#onChange = onChange;
    const folders = new Set(paths.map((path) => (statSync(path).isDirectory() ? path : dirname(path))));
    for (const folder of folders) {
      const watcher = watch(folder, { recursive: paths.includes(folder), persistent: true }, () =>
        this.#onEvent(),
      );
      watcher.on('error', onError);
      this.#watchers.push(watcher);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers) watcher.close();
  }

  #onEvent(): void {
    const now = performance.now();
    if (this.#timer === undefined) this.#firstEventMs = now;
    clearTimeout(this.#timer);
    const delayMs = Math.max(0, Math.min(quietMs, this.#firstEventMs + longestMs - now));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#onChange();
    }, delayMs);
  }
}
