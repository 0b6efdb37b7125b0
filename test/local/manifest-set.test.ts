// Files on disk: a broken one keeps its last good content, a deleted one drops its objects, unread ones stay.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { manifestFilesOf } from '#local/manifest-files.ts';
import { ManifestSet } from '#local/manifest-set.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flint-manifests-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(file: string, text: string): string {
  const path = join(folder, file);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

function service(name: string): string {
  return `---\napiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\n`;
}

interface Read {
  readonly names: readonly string[];
  readonly faults: readonly string[];
}

function read(set: ManifestSet): Read {
  const faults: string[] = [];
  const manifests = set.read((message) => faults.push(message.replaceAll(folder, '')));
  return { names: manifests.map(({ object }) => object.metadata.name), faults };
}

test('a folder is read with everything below it, in the order of paths', () => {
  for (const file of ['b.yaml', 'a.yml', 'c/d.json', 'z.txt', 'README.md', '.hidden/e.yaml', '.f.yaml'])
    write(file, service(file.replaceAll(/[^a-z]/g, '')));
  assert.deepEqual(
    manifestFilesOf(folder).map((file) => file.slice(folder.length + 1)),
    ['a.yml', 'b.yaml', 'c/d.json'],
  );
  assert.deepEqual(read(new ManifestSet([folder], [])), { names: ['ayml', 'byaml', 'cdjson'], faults: [] });
});

test('a file is read whatever its name, and once however often it is named', () => {
  const file = write('routes.txt', service('a'));
  assert.deepEqual(read(new ManifestSet([file, file], [])).names, ['a']);
});

test('objects of the command line come first and have a place of their own', () => {
  const fixed: KubernetesObject = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'fixed' } };
  const set = new ManifestSet([write('a.yaml', service('a'))], [fixed]);
  assert.deepEqual(read(set).names, ['fixed', 'a']);
  assert.deepEqual(set.read(() => {})[0]?.locate('spec'), { file: '--route', line: 1, column: 1 });
});

test('what changes is read again', () => {
  const file = write('a.yaml', service('a'));
  const set = new ManifestSet([folder], []);
  assert.deepEqual(read(set).names, ['a']);
  writeFileSync(file, service('b') + service('c'));
  write('d.yaml', service('d'));
  assert.deepEqual(read(set), { names: ['b', 'c', 'd'], faults: [] });
});

test('a broken file keeps its last good content, and says where it is broken', () => {
  const file = write('a.yaml', service('a'));
  write('b.yaml', service('b'));
  const set = new ManifestSet([folder], []);
  read(set);
  writeFileSync(file, `${service('a2')}spec: {\n`);
  const broken = read(set);
  assert.deepEqual(broken.names, ['a', 'b']);
  assert.equal(broken.faults.length, 1);
  assert.match(broken.faults[0] ?? '', /^\/a\.yaml:6:1: .*; its last good content stays$/);
  // Broken in another way, it still keeps the last good one.
  writeFileSync(file, 'kind: Service\n');
  assert.deepEqual(read(set), {
    names: ['a', 'b'],
    faults: ['/a.yaml:1:1: apiVersion is missing; its last good content stays'],
  });
  writeFileSync(file, service('a3'));
  assert.deepEqual(read(set), { names: ['a3', 'b'], faults: [] });
});

test('a file that is broken from the start is left out until it is mended', () => {
  const file = write('a.yaml', 'kind: Service\n');
  const set = new ManifestSet([folder], []);
  assert.deepEqual(read(set), {
    names: [],
    faults: ['/a.yaml:1:1: apiVersion is missing; the file is left out'],
  });
  writeFileSync(file, service('a'));
  assert.deepEqual(read(set), { names: ['a'], faults: [] });
});

test('a bomb of aliases in one file leaves the others served', () => {
  const file = write('a.yaml', service('a'));
  write('b.yaml', service('b'));
  const set = new ManifestSet([folder], []);
  read(set);
  const list = (index: number): string => Array(10).fill(`*a${index}`).join(', ');
  const levels = Array.from({ length: 9 }, (_, index) => `a${index + 1}: &a${index + 1} [${list(index)}]\n`);
  writeFileSync(file, `${service('a2')}a0: &a0 [x]\n${levels.join('')}`);
  write('c.yaml', service('c'));
  const { names, faults } = read(set);
  assert.deepEqual(names, ['a', 'b', 'c']);
  assert.equal(faults.length, 1);
});

test('a deleted file drops its objects, and an emptied one too', () => {
  const file = write('a.yaml', service('a'));
  const other = write('b.yaml', service('b'));
  const set = new ManifestSet([folder], []);
  read(set);
  rmSync(file);
  assert.deepEqual(read(set), { names: ['b'], faults: [] });
  writeFileSync(other, '# nothing left\n');
  assert.deepEqual(read(set), { names: [], faults: [] });
});

test('a folder that cannot be read drops nothing: a failed list is not an empty one', () => {
  write('x/a.yaml', service('a'));
  write('b.yaml', service('b'));
  const set = new ManifestSet([join(folder, 'x'), join(folder, 'b.yaml')], []);
  assert.deepEqual(read(set).names, ['a', 'b']);
  renameSync(join(folder, 'x'), join(folder, 'y'));
  const { names, faults } = read(set);
  assert.deepEqual(names, ['a', 'b']);
  assert.match(faults.join(), /^\/x cannot be read \(.*\); what it held stays$/);
  renameSync(join(folder, 'y'), join(folder, 'x'));
  assert.deepEqual(read(set), { names: ['a', 'b'], faults: [] });
});

test('a file named on the command line that is gone for a moment stays', () => {
  const file = write('a.yaml', service('a'));
  const set = new ManifestSet([file], []);
  read(set);
  rmSync(file);
  const { names, faults } = read(set);
  assert.deepEqual(names, ['a']);
  assert.match(faults.join(), /^\/a\.yaml cannot be read/);
});

test('a file that cannot be read keeps what it held', () => {
  write('a.yaml', service('a'));
  const set = new ManifestSet([folder], []);
  read(set);
  rmSync(join(folder, 'a.yaml'));
  symlinkSync(join(folder, 'nowhere'), join(folder, 'a.yaml'));
  const { names, faults } = read(set);
  assert.deepEqual(names, ['a']);
  assert.match(faults.join(), /^\/a\.yaml cannot be read \(.*\); what it held stays$/);
});

test('a mounted ConfigMap, whose files are links that swap as one, is read through its links', () => {
  write('..one/a.yaml', service('a'));
  write('..two/a.yaml', service('b'));
  symlinkSync('..one', join(folder, '..data'));
  symlinkSync('..data/a.yaml', join(folder, 'a.yaml'));
  const set = new ManifestSet([folder], []);
  assert.deepEqual(read(set), { names: ['a'], faults: [] });
  symlinkSync('..two', join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  assert.deepEqual(read(set), { names: ['b'], faults: [] });
});
