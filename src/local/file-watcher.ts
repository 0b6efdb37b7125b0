// Tells when anything below some paths may have changed; what did is for the reader to find out.
import { statSync, watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

/** Editors write in several steps; a change is reported when it has been quiet for this long, at the latest after... */
const quietMs = 40;
/** ...this long under a steady stream of events. */
const longestMs = 500;

/** A folder that is removed and made again leaves its watch behind on nothing; so often that is looked for. */
const checkMs = 1000;

interface Watched {
  readonly folder: string;
  readonly recursive: boolean;
  /** Which folder it was, by device and inode; empty while there is none. */
  identity: string;
  watcher: FSWatcher | undefined;
}

export class FileWatcher {
  readonly #watched: readonly Watched[];
  readonly #onChange: () => void;
  readonly #onError: (error: Error) => void;
  readonly #checking: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined = undefined;
  #firstEventMs = 0;

  /**
   * Folders are watched with everything below them, files through their folder: an editor that replaces a file, or a
   * mounted ConfigMap that swaps a link, would leave a watch on the file itself behind. Throws when a path is not there.
   */
  constructor(paths: readonly string[], onChange: () => void, onError: (error: Error) => void) {
    this.#onChange = onChange;
    this.#onError = onError;
    const folders = new Set(paths.map((path) => (statSync(path).isDirectory() ? path : dirname(path))));
    this.#watched = [...folders].map((folder) => ({
      folder,
      recursive: paths.includes(folder),
      identity: '',
      watcher: undefined,
    }));
    for (const watched of this.#watched) this.#watch(watched);
    this.#checking = setInterval(() => this.#check(), checkMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#checking);
    for (const { watcher } of this.#watched) watcher?.close();
  }

  #watch(watched: Watched): void {
    const { folder, recursive } = watched;
    watched.watcher?.close();
    watched.watcher = watch(folder, { recursive, persistent: true }, () => this.#onEvent());
    watched.watcher.on('error', this.#onError);
    watched.identity = identityOf(folder);
  }

  #check(): void {
    for (const watched of this.#watched) {
      const identity = identityOf(watched.folder);
      if (identity === watched.identity) continue;
      watched.identity = '';
      if (identity === '') continue;
      try {
        this.#watch(watched);
        this.#onEvent();
      } catch (error) {
        // Gone again, perhaps: the next check tells.
        this.#onError(error instanceof Error ? error : new Error(String(error)));
      }
    }
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

function identityOf(folder: string): string {
  const stats = statSync(folder, { throwIfNoEntry: false });
  return stats === undefined ? '' : `${stats.dev}:${stats.ino}`;
}
