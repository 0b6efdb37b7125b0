// `make image`: the images as files, without a docker engine.
//
//   hack/runtime node hack/image/build.ts [--to FOLDER] [--registry HOST] [--tag TAG] [--quick] [IMAGE...]
//
// Each is an OCI image layout in a tar, which `ctr images import`, podman, skopeo and crane read. --quick packs less well.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ownArchitecture, writeImage } from '../oci-image.ts';
import type { WrittenImage } from '../oci-image.ts';
import { entriesOf } from '../tar.ts';
import { NoPackages } from './debian-libraries.ts';
import { imageConfig, imageFile, imagePlan, imagePlans, labels, version } from './images.ts';
import type { ImagePlan } from './images.ts';
import { writeRootFiles } from './root-files.ts';

export interface BuildOptions {
  /** Before the name: `registry.example.com/team`. */
  readonly registry: string;
  readonly tag: string;
  readonly folder: string;
  readonly isQuick: boolean;
}

export interface BuiltImage extends WrittenImage {
  /** With registry and tag. */
  readonly reference: string;
  readonly file: string;
}

export async function buildImage(plan: ImagePlan, options: BuildOptions): Promise<BuiltImage> {
  const work = mkdtempSync(join(tmpdir(), 'flint-image-'));
  try {
    const files = writeRootFiles(plan, work);
    const compression = { kind: 'zstd', level: options.isQuick ? 1 : 12 } as const;
    const reference = `${options.registry}/${plan.name}:${options.tag}`;
    mkdirSync(options.folder, { recursive: true });
    const file = imageFile(options.folder, plan.name, options.tag);
    const written = await writeImage(
      {
        name: reference,
        architecture: ownArchitecture,
        layers: [
          { entries: entriesOf(files.runtime), createdBy: `the runtime: ${plan.runtime}`, compression },
          { entries: entriesOf(files.flint), createdBy: `flint ${version}`, compression },
        ],
        config: imageConfig(plan, options.tag),
        annotations: labels(plan, options.tag),
      },
      file,
    );
    return { ...written, reference, file };
  } finally {
    rmSync(work, { recursive: true });
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      to: { type: 'string', default: '.cache/images' },
      registry: { type: 'string', default: 'localhost' },
      tag: { type: 'string', default: version },
      quick: { type: 'boolean', default: false },
    },
  });
  const plans = positionals.length === 0 ? imagePlans : positionals.map(imagePlan);
  try {
    for (const plan of plans) {
      const options = {
        registry: values.registry,
        tag: values.tag,
        folder: values.to,
        isQuick: values.quick,
      };
      const { reference, file, digest, bytes, unpackedBytes } = await buildImage(plan, options);
      process.stdout.write(
        `${reference}  ${megabytes(bytes)} to pull, ${megabytes(unpackedBytes)} unpacked\n  ${file}\n  ${digest}\n`,
      );
    }
  } catch (error) {
    if (!(error instanceof NoPackages)) throw error;
    process.stderr.write(`hack/image/build.ts: ${error.message}\n`);
    // As the scripts beside it say that something is missing here.
    process.exitCode = 3;
  }
}
