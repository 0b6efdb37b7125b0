// For Bun: the entry of worker threads becomes one that loads what lets them die, too.
import { readFileSync } from 'node:fs';

/** As much of Bun's plugins as is used here. */
interface Bun {
  plugin(plugin: {
    readonly name: string;
    readonly setup: (build: {
      onLoad(
        of: { readonly filter: RegExp },
        load: (file: { readonly path: string }) => { readonly contents: string; readonly loader: 'ts' },
      ): void;
    }) => void;
  }): void;
}

const entry = new URL('./bun-dying-worker.ts', import.meta.url).href;
const ownEntry = 'new URL(`./worker${extname(import.meta.url)}`, import.meta.url)';

(globalThis as unknown as { readonly Bun: Bun }).Bun.plugin({
  name: 'dying workers',
  setup: (build) =>
    build.onLoad({ filter: /\/src\/dataplane\/worker-handle\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      if (!text.includes(ownEntry)) throw new Error('worker-handle.ts starts its threads in another way now');
      return { contents: text.replace(ownEntry, `new URL('${entry}')`), loader: 'ts' };
    }),
});
