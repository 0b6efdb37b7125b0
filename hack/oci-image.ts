// A container image as one file: an OCI image layout in a tar, which `ctr images import`, podman, skopeo and crane read.
// The same input gives the same bytes and so the same digest.
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import type { ZstdCompress } from 'node:zlib';
import { tarOf } from './tar.ts';
import type { TarEntry } from './tar.ts';

/** What the OCI image specification calls `config`, in its own spelling. */
export interface ImageConfig {
  readonly User?: string;
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly WorkingDir?: string;
  readonly ExposedPorts?: Readonly<Record<string, Readonly<Record<string, never>>>>;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
}

export interface Layer {
  readonly entries: readonly TarEntry[];
  /** What made it, for `history`. */
  readonly createdBy: string;
  /** Default: gzip. */
  readonly compression?: Compression;
}

export type Compression = { readonly kind: 'gzip' } | { readonly kind: 'zstd'; readonly level: number };

/** What container images call the architecture of this machine. */
export const ownArchitecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

export interface Image {
  /** With a host or a folder before the first slash, and a tag: `flint.local/flint-proxy:0.1.0`. */
  readonly name: string;
  readonly architecture: 'amd64' | 'arm64';
  /** The lowest first; what changes most belongs into the last. */
  readonly layers: readonly Layer[];
  readonly config: ImageConfig;
  /** Of the manifest: `org.opencontainers.image.source` and its like. */
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface WrittenImage {
  /** Of the manifest: what an image is pinned by. */
  readonly digest: string;
  /** What is pulled: manifest, config and compressed layers. */
  readonly bytes: number;
  /** What it takes on a disk, unpacked. */
  readonly unpackedBytes: number;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly os: string; readonly architecture: string };
}

interface PackedLayer {
  readonly descriptor: Descriptor;
  readonly blob: Buffer;
  /** Of what is inside the compression: what the config names a layer by. */
  readonly diffId: string;
  readonly unpackedBytes: number;
}

const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const;

/** The time that everything in an image carries: SOURCE_DATE_EPOCH, else the beginning of time. */
export function sourceDateSeconds(): number {
  const epoch = process.env['SOURCE_DATE_EPOCH'] ?? '0';
  if (!/^\d{1,10}$/.test(epoch)) throw new Error(`SOURCE_DATE_EPOCH is no number of seconds: ${epoch}`);
  return Number(epoch);
}

/** Writes the image to `path`. */
export async function writeImage(image: Image, path: string): Promise<WrittenImage> {
  const tagged = /^[a-z0-9.-]+(?::\d+)?\/[a-z0-9/._-]+:([\w.-]+)$/.exec(image.name);
  if (tagged === null) throw new Error(`an image is named HOST/NAME:TAG, not ${image.name}`);
  const seconds = sourceDateSeconds();
  const created = new Date(seconds * 1000).toISOString();
  const layers: PackedLayer[] = [];
  for (const layer of image.layers) layers.push(await pack(layer, seconds));

  const platform = { os: 'linux', architecture: image.architecture };
  const config = json({
    ...platform,
    created,
    config: image.config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: image.layers.map(({ createdBy }) => ({ created, created_by: createdBy })),
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: types.manifest,
    config: descriptorOf(types.config, config),
    layers: layers.map(({ descriptor }) => descriptor),
    annotations: image.annotations ?? {},
  });
  const index = json({
    schemaVersion: 2,
    mediaType: types.index,
    manifests: [
      {
        ...descriptorOf(types.manifest, manifest),
        platform,
        // containerd takes the whole name from its own annotation, everybody else the tag from the other.
        annotations: {
          'io.containerd.image.name': image.name,
          'org.opencontainers.image.ref.name': tagged[1] ?? '',
        },
      },
    ],
  });

  const blobs = new Map(
    [config, manifest, ...layers.map(({ blob }) => blob)].map((blob) => [digestOf(blob), blob]),
  );
  const entries: TarEntry[] = [
    fileEntry('oci-layout', json({ imageLayoutVersion: '1.0.0' })),
    fileEntry('index.json', index),
    ...[...blobs].map(([digest, blob]) => fileEntry(`blobs/${digest.replace(':', '/')}`, blob)),
  ];
  const file = await open(path, 'w');
  try {
    for await (const piece of tarOf(entries, seconds)) await file.writeFile(piece);
  } finally {
    await file.close();
  }
  return {
    digest: digestOf(manifest),
    bytes: [...blobs.values()].reduce((sum, blob) => sum + blob.length, 0),
    unpackedBytes: layers.reduce((sum, layer) => sum + layer.unpackedBytes, 0),
  };
}

/** Only the compressed layer is held in memory. */
async function pack(
  { entries, compression = { kind: 'gzip' } }: Layer,
  seconds: number,
): Promise<PackedLayer> {
  const inside = createHash('sha256');
  let unpackedBytes = 0;
  const tar = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of tarOf(entries, seconds)) {
      inside.update(piece);
      unpackedBytes += piece.length;
      yield piece;
    }
  };
  const pieces: Buffer[] = [];
  const compressor = compression.kind === 'gzip' ? createGzip({ level: 6 }) : zstd(compression.level);
  for await (const piece of Readable.from(tar()).compose(compressor)) pieces.push(piece as Buffer);
  const blob = Buffer.concat(pieces);
  // The tenth byte of gzip names the operating system; 255 is "unknown" (RFC 1952 2.3.1), the same everywhere.
  if (compression.kind === 'gzip') blob[9] = 255;
  return {
    descriptor: descriptorOf(`${types.layer}+${compression.kind}`, blob),
    blob,
    diffId: `sha256:${inside.digest('hex')}`,
    unpackedBytes,
  };
}

function zstd(level: number): ZstdCompress {
  return createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: level } });
}

function fileEntry(path: string, content: Uint8Array): TarEntry {
  return { kind: 'file', path, mode: 0o644, content };
}

function descriptorOf(mediaType: string, blob: Uint8Array): Descriptor {
  return { mediaType, digest: digestOf(blob), size: blob.length };
}

function digestOf(blob: Uint8Array): string {
  return `sha256:${createHash('sha256').update(blob).digest('hex')}`;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
