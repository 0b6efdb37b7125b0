// The import rules: which folder may know which. The table is the architecture; the test only reads it.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { test } from 'node:test';

const everything = '*';

/** Folder -> the folders of ours that it may import, itself aside. */
const mayImport: Readonly<Record<string, readonly string[] | typeof everything>> = {
  http: [],
  model: [],
  telemetry: [],
  api: [],
  kube: [],
  transport: [],
  h1: ['http'],
  h2: ['http'],
  filter: ['http', 'model'],
  // A compiled route holds its compiled filters.
  route: ['model', 'filter'],
  // Certificates as values: what may be judged of them without a socket; transport only says what a handshake has shown.
  tls: ['model', 'transport'],
  translate: ['api', 'model', 'tls'],
  cluster: ['kube'],
  // Its logs and counters are handed to it.
  operator: ['api', 'kube', 'cluster', 'translate', 'model'],
  upstream: ['http', 'h1', 'h2', 'model', 'transport'],
  proxy: ['http', 'h1', 'h2', 'route', 'filter', 'upstream', 'tls', 'transport', 'model'],
  // The composition of a data plane: it hands logs, counters and a transport to the folders that may not know them.
  dataplane: [
    'kube',
    'model',
    'route',
    'proxy',
    'upstream',
    'h1',
    'h2',
    'http',
    'telemetry',
    'tls',
    'transport',
  ],
  local: ['api', 'translate', 'model', 'dataplane'],
  cli: everything,
};

/** External packages -> the only folders that may import them. */
const packages: Readonly<Record<string, readonly string[]>> = {
  ajv: ['api', 'model'],
  '@marcbachmann/cel-js': ['api'],
  re2js: ['api', 'route', 'translate'],
  yaml: ['local', 'cli'],
  '@kubernetes/client-node': ['cluster'],
  commander: ['cli'],
  pino: ['telemetry'],
  'prom-client': ['telemetry'],
};

/** Modules of the runtime that open sockets: whoever needs them goes through transport/. */
const socketModules = new Set(['node:net', 'node:tls', 'node:http2', 'node:dgram']);
const socketFolders = new Set(['transport']);
/** `isIP` and its like judge text. */
const socketExceptions = new Set([
  'src/api/ip-address.ts',
  'src/dataplane/public-address.ts',
  'src/http/authority.ts',
  'src/http/ip-ranges.ts',
  // A context for node:https, which opens the socket.
  'src/kube/pod-transport.ts',
]);

const hotFolders = new Set(['http', 'h1', 'h2', 'filter', 'route', 'transport', 'upstream', 'proxy']);

const root = new URL('../../', import.meta.url).pathname;

interface Import {
  readonly file: string;
  readonly folder: string;
  readonly from: string;
}

function importsOf(folder: string): readonly Import[] {
  return readdirSync(join(root, 'src', folder)).flatMap((name) => {
    const file = `src/${folder}/${name}`;
    assert.match(
      name,
      /^[a-z0-9-]+\.ts$/,
      `${file}: files are kebab-case TypeScript, and folders have no folders`,
    );
    const text = readFileSync(join(root, file), 'utf8');
    return [...text.matchAll(/(?:^|\s)(?:from|import)\s*\(?\s*'([^']+)'/g)].map((found) => ({
      file,
      folder,
      from: found[1] ?? '',
    }));
  });
}

const folders = readdirSync(join(root, 'src'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);
const imports = folders.flatMap(importsOf);

test('every folder of src stands in the table', () => {
  assert.deepEqual([...folders].sort(), Object.keys(mayImport).sort());
});

test('no folder imports one that it may not know', () => {
  const violations = imports.filter(({ folder, from }) => {
    if (!from.startsWith('#')) return false;
    const target = from.slice(1, from.indexOf('/'));
    const allowed = mayImport[folder] ?? [];
    return target !== folder && allowed !== everything && !allowed.includes(target);
  });
  assert.deepEqual(violations, []);
});

test('imports across folders name the layer, imports within one are relative', () => {
  const violations = imports.filter(({ file, folder, from }) => {
    if (from.startsWith('#')) return from.startsWith(`#${folder}/`);
    if (!from.startsWith('.')) return false;
    return posix.dirname(posix.join(posix.dirname(file), from)) !== `src/${folder}`;
  });
  assert.deepEqual(violations, []);
});

test('each package is known to the folders that own its job', () => {
  const violations = imports.filter(({ folder, from }) => {
    if (from.startsWith('.') || from.startsWith('#') || from.startsWith('node:')) return false;
    const name = from.startsWith('@') ? from.split('/').slice(0, 2).join('/') : (from.split('/')[0] ?? '');
    return !(packages[name] ?? []).includes(folder);
  });
  assert.deepEqual(violations, []);
});

test('only transport opens sockets, and hot folders do no I/O of their own', () => {
  const violations = imports.filter(({ file, folder, from }) => {
    if (socketExceptions.has(file)) return false;
    if (socketModules.has(from)) return !socketFolders.has(folder);
    // Once, at the start of a thread: which descriptor the runtime's own loop has.
    if (file === 'src/transport/runtime-loop.ts') return false;
    return hotFolders.has(folder) && ['node:fs', 'node:http', 'node:child_process'].includes(from);
  });
  assert.deepEqual(violations, []);
});

test('files stay small, and begin by saying what they own', () => {
  for (const { file } of imports) {
    const text = readFileSync(join(root, file), 'utf8');
    assert.match(text, /^\/\/ \S/, `${file} does not begin with a sentence`);
    const lines = text.split('\n').length;
    assert.ok(lines <= 440, `${file} has ${lines} lines: it is more than one thing`);
  }
});

test('only main.ts ends the process, and nothing outside transport asks for the runtime', () => {
  for (const { file, folder } of imports) {
    const text = readFileSync(join(root, file), 'utf8');
    assert.doesNotMatch(text, /process\.exit\(/, file);
    if (folder !== 'transport')
      assert.doesNotMatch(text, /process\.versions|globalThis\.Bun|\bBun\.[a-z]/, file);
  }
});

test('what a data-plane pod loads holds neither the official client nor the operator', () => {
  const loaded = new Set<string>();
  const packagesLoaded = new Set<string>();
  const load = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    const text = readFileSync(join(root, file), 'utf8');
    // Types are not loaded, and neither is what another command would import when it is called.
    for (const [, from = ''] of text.matchAll(/^(?:import|export) (?!type )[^;]*?from '([^']+)';/gm)) {
      if (from.startsWith('#')) load(`src/${from.slice(1)}`);
      else if (from.startsWith('.')) load(posix.join(posix.dirname(file), from));
      else if (!from.startsWith('node:')) packagesLoaded.add(from);
    }
    // Later, when something asks for it: a check of an endpoint, or the first scrape.
    for (const [, from = ''] of text.matchAll(/import\('(#[^']+)'\)/g)) load(`src/${from.slice(1)}`);
  };
  // The command, and the entry of its threads.
  load('src/cli/proxy.ts');
  load('src/dataplane/worker.ts');
  assert.ok(loaded.has('src/kube/reflect.ts') && loaded.has('src/proxy/exchange.ts'));
  const foldersLoaded = new Set([...loaded].map((file) => file.split('/')[1]));
  for (const folder of ['cluster', 'operator', 'translate', 'local'])
    assert.equal(foldersLoaded.has(folder), false, folder);
  // Settings have durations and sizes, written as in the API.
  assert.deepEqual(
    [...loaded].filter((file) => file.startsWith('src/api/')),
    ['src/api/duration.ts', 'src/api/size.ts'],
  );
  // The engine for regular expressions only where a route has one.
  assert.deepEqual([...packagesLoaded].sort(), ['pino', 'prom-client']);
});
