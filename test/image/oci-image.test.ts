// The image writer: what other tools read from it, and that the same input is the same bytes.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { writeImage } from '../../hack/oci-image.ts';
import type { Image, Layer } from '../../hack/oci-image.ts';
import { entriesOf } from '../../hack/tar.ts';
import type { TarEntry } from '../../hack/tar.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flint-image-'));
});
afterEach(() => {
  delete process.env['SOURCE_DATE_EPOCH'];
  rmSync(folder, { recursive: true, force: true });
});

const long = `deep/${'very-'.repeat(30)}long/ünïcode.txt`;
const entries: readonly TarEntry[] = [
  { kind: 'file', path: 'app/flint', mode: 0o755, content: Buffer.from('program'), uid: 65532, gid: 65532 },
  { kind: 'symlink', path: 'app/link', target: 'flint' },
  { kind: 'file', path: long, mode: 0o600, content: Buffer.from('deep') },
  { kind: 'directory', path: 'tmp', mode: 0o1777 },
];

function image(over: Partial<Image> = {}, layer: Partial<Layer> = {}): Image {
  const config = { User: '65532:65532', Entrypoint: ['/app/flint'], Env: ['A=b'], WorkingDir: '/app' };
  const layers = [{ entries, createdBy: 'test', ...layer }];
  return { name: 'flint.local/test/flint:1.2.3', architecture: 'amd64', layers, config, ...over };
}

interface Reference {
  readonly digest: string;
  readonly size: number;
  readonly mediaType: string;
  readonly annotations: Readonly<Record<string, string>>;
}

interface Read {
  readonly reference: Reference;
  readonly manifest: { readonly config: Reference; readonly layers: readonly Reference[] };
  readonly config: Readonly<Record<string, unknown>> & {
    readonly rootfs: { readonly diff_ids: readonly string[] };
  };
  readonly blob: (reference: Reference) => Buffer;
}

/** By the system's tar, with every digest and size checked on the way. */
function read(path: string): Read {
  const file = (name: string): Buffer => execFileSync('tar', ['-xOf', path, name], { maxBuffer: 1 << 26 });
  const blob = ({ digest, size }: Reference): Buffer => {
    const content = file(`blobs/${digest.replace(':', '/')}`);
    assert.equal(content.length, size);
    assert.equal(`sha256:${createHash('sha256').update(content).digest('hex')}`, digest);
    return content;
  };
  assert.deepEqual(JSON.parse(file('oci-layout').toString()), { imageLayoutVersion: '1.0.0' });
  const index = JSON.parse(file('index.json').toString()) as { readonly manifests: readonly [Reference] };
  const reference = index.manifests[0];
  const manifest = JSON.parse(blob(reference).toString()) as Read['manifest'];
  const config = JSON.parse(blob(manifest.config).toString()) as Read['config'];
  return { reference, manifest, config, blob };
}

for (const [compression, unpack] of [
  [{ kind: 'gzip' }, gunzipSync],
  [{ kind: 'zstd', level: 3 }, zstdDecompressSync],
] as const)
  test(`what tar reads of a ${compression.kind} layer`, async () => {
    const path = join(folder, 'image.tar');
    const written = await writeImage(image({}, { compression }), path);
    const { reference, manifest, config, blob } = read(path);
    assert.equal(written.digest, reference.digest);
    assert.deepEqual(reference.annotations, {
      'io.containerd.image.name': 'flint.local/test/flint:1.2.3',
      'org.opencontainers.image.ref.name': '1.2.3',
    });
    assert.deepEqual(config['config'], image().config);
    const [layer] = manifest.layers;
    assert.ok(layer !== undefined);
    assert.equal(layer.mediaType, `application/vnd.oci.image.layer.v1.tar+${compression.kind}`);
    const tar = unpack(blob(layer));
    assert.equal(written.unpackedBytes, tar.length);
    assert.deepEqual(config.rootfs.diff_ids, [`sha256:${createHash('sha256').update(tar).digest('hex')}`]);
    const listed = execFileSync('tar', ['-tvf', '-', '--numeric-owner', '--quoting-style=literal', '--utc'], {
      input: tar,
      encoding: 'utf8',
    });
    const rows = listed.trim().split('\n');
    const seen = rows.map((row) => {
      const [mode, owner, , , , ...name] = row.split(/\s+/);
      return `${mode} ${owner} ${name.join(' ')}`;
    });
    assert.deepEqual(seen, [
      'drwxr-xr-x 0/0 app/',
      '-rwxr-xr-x 65532/65532 app/flint',
      'lrwxrwxrwx 0/0 app/link -> flint',
      'drwxr-xr-x 0/0 deep/',
      `drwxr-xr-x 0/0 ${long.slice(0, long.lastIndexOf('/'))}/`,
      `-rw------- 0/0 ${long}`,
      'drwxrwxrwt 0/0 tmp/',
    ]);
    assert.match(rows[0] ?? '', /1970-01-01 00:00/);
  });

test('the same input in another order is the same bytes, another date is not', async () => {
  const write = async (layer: Partial<Layer> = {}): Promise<Buffer> => {
    await writeImage(image({}, layer), join(folder, 'image.tar'));
    return readFileSync(join(folder, 'image.tar'));
  };
  const first = await write();
  assert.ok(first.equals(await write({ entries: [...entries].reverse() })));
  process.env['SOURCE_DATE_EPOCH'] = '1700000000';
  const dated = await write();
  assert.ok(!first.equals(dated));
  assert.equal(read(join(folder, 'image.tar')).config['created'], '2023-11-14T22:13:20.000Z');
  process.env['SOURCE_DATE_EPOCH'] = 'yesterday';
  await assert.rejects(write(), /SOURCE_DATE_EPOCH/);
});

test('a folder: modes that no umask changes, owners as told, links kept, files refused by name', async () => {
  const tree = join(folder, 'tree');
  mkdirSync(join(tree, 'bin'), { recursive: true, mode: 0o700 });
  writeFileSync(join(tree, 'bin/run'), 'x'.repeat(3_000_000));
  chmodSync(join(tree, 'bin/run'), 0o700);
  writeFileSync(join(tree, 'note.md'), '', { mode: 0o600 });
  symlinkSync('run', join(tree, 'bin/again'));
  const found = entriesOf(tree, { at: 'opt', uid: 7, gid: 8, accepts: (path) => path !== 'note.md' });
  const shown = found.map((each) => [
    each.kind,
    each.path,
    'mode' in each ? each.mode : 0,
    each.uid,
    each.gid,
  ]);
  assert.deepEqual(
    new Set(shown),
    new Set([
      ['directory', 'opt/bin', 0o755, 7, 8],
      ['file', 'opt/bin/run', 0o755, 7, 8],
      ['symlink', 'opt/bin/again', 0, 7, 8],
    ]),
  );
  await writeImage(image({}, { entries: found }), join(folder, 'image.tar'));
  const { manifest, blob } = read(join(folder, 'image.tar'));
  const tar = gunzipSync(blob(manifest.layers[0] as Reference));
  const content = execFileSync('tar', ['-xOf', '-', 'opt/bin/run'], { input: tar, maxBuffer: 1 << 26 });
  assert.equal(content.toString(), 'x'.repeat(3_000_000));
});

test('capabilities of a file travel as an extended attribute', async () => {
  // VFS_CAP_REVISION_2, effective, CAP_NET_BIND_SERVICE permitted.
  const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
  const file: TarEntry = {
    kind: 'file',
    path: 'flint',
    mode: 0o755,
    content: Buffer.from('program'),
    xattrs: { 'security.capability': capability },
  };
  await writeImage(image({}, { entries: [file] }), join(folder, 'image.tar'));
  const { manifest, blob } = read(join(folder, 'image.tar'));
  const tar = gunzipSync(blob(manifest.layers[0] as Reference));
  const listed = execFileSync('tar', ['--xattrs', '--xattrs-include=*', '-tvvf', '-'], { input: tar });
  assert.match(listed.toString(), /x: 20 security\.capability/);
  assert.ok(
    tar.includes(
      Buffer.concat([Buffer.from('SCHILY.xattr.security.capability='), capability, Buffer.from('\n')]),
    ),
  );
});

test('what makes no image is refused', async () => {
  const path = join(folder, 'image.tar');
  const file = (name: string): TarEntry => ({
    kind: 'file',
    path: name,
    mode: 0o644,
    content: Buffer.from(''),
  });
  await assert.rejects(writeImage(image({ name: 'flint' }), path), /HOST\/NAME:TAG/);
  await assert.rejects(writeImage(image({}, { entries: [file('/etc')] }), path), /relative/);
  await assert.rejects(writeImage(image({}, { entries: [file('../etc')] }), path), /relative/);
  await assert.rejects(writeImage(image({}, { entries: [file('a'), file('a')] }), path), /two entries/);
  await assert.rejects(
    writeImage(image({}, { entries: [file('a'), file('a/b')] }), path),
    /file with children/,
  );
});
