// What an image runs: src/ and its libraries as a few files of JavaScript, made by Bun's bundler, which is pinned anyway.
//
//   hack/runtime bun hack/image/bundle.ts operator|proxy node|bun FOLDER
//
// One file a command, loaded when it is called, and what they share. Names are kept, so that stack traces can be read.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Loaded {
  readonly contents: string;
  readonly loader: 'js';
}

interface BuildOptions {
  readonly entrypoints: readonly string[];
  readonly outdir: string;
  readonly target: 'node' | 'bun';
  readonly format?: 'esm' | 'cjs';
  readonly splitting?: boolean;
  readonly minify?: { readonly whitespace: boolean; readonly syntax: boolean };
  readonly naming?: { readonly entry: string; readonly chunk: string };
  readonly plugins?: readonly {
    readonly name: string;
    setup(build: { onLoad(which: { readonly filter: RegExp }, load: () => Loaded): void }): void;
  }[];
}

declare const Bun: {
  build(options: BuildOptions): Promise<{ readonly success: boolean; readonly logs: readonly unknown[] }>;
};

const root = fileURLToPath(new URL('../../', import.meta.url));
const minify = { whitespace: true, syntax: true };

/** The data plane has no use for what the operator needs, and must not hold a client that can write to a cluster. */
const withoutOperator = {
  name: 'without the operator',
  setup: (build: { onLoad(which: { readonly filter: RegExp }, load: () => Loaded): void }): void =>
    build.onLoad({ filter: /src\/cli\/operator\.ts$/ }, () => ({
      contents: `export function operator() { throw new Error('this image is that of the data plane; the operator has one of its own'); }`,
      loader: 'js',
    })),
};

async function build(options: BuildOptions): Promise<void> {
  const { success, logs } = await Bun.build(options);
  if (!success) throw new Error(logs.map(String).join('\n'));
}

async function bundle(command: string, runtime: 'node' | 'bun', folder: string): Promise<void> {
  await build({
    entrypoints: [join(root, 'src/main.ts'), join(root, 'src/dataplane/worker.ts')],
    outdir: folder,
    target: runtime,
    splitting: true,
    minify,
    naming: { entry: '[name].js', chunk: '[name]-[hash].js' },
    plugins: command === 'proxy' ? [withoutOperator] : [],
  });
  // Loaded with the first regular expression, by a path that no bundler sees.
  const expressions = join(folder, 'node_modules/re2js');
  await build({
    entrypoints: [fileURLToPath(import.meta.resolve('re2js'))],
    outdir: expressions,
    target: runtime,
    format: 'cjs',
    minify,
    naming: { entry: 'index.cjs', chunk: '[name]-[hash].cjs' },
  });
  const manifest = { name: 're2js', main: 'index.cjs' };
  writeFileSync(join(expressions, 'package.json'), `${JSON.stringify(manifest)}\n`);
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}\n');
  mkdirSync(join(folder, '../../crds'), { recursive: true });
  copyFileSync(join(root, 'crds/ingressroute.yaml'), join(folder, '../../crds/ingressroute.yaml'));
}

const [command, runtime, folder] = process.argv.slice(2);
if (!['operator', 'proxy'].includes(command ?? '') || (runtime !== 'node' && runtime !== 'bun') || !folder)
  throw new Error('usage: hack/runtime bun hack/image/bundle.ts operator|proxy node|bun FOLDER');
await bundle(command!, runtime, folder);
