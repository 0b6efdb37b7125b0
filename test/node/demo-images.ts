// The two images that the harness needs itself: pause, and a backend. Written by hack/oci-image.ts, as the real ones.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownArchitecture, writeImage } from '../../hack/oci-image.ts';
import { pauseImage } from './node-files.ts';

export const demoImage = 'flint.local/demo:1';

/** Writes both into `folder`; the answer is the files. */
export async function writeDemoImages(programs: string, folder: string): Promise<string[]> {
  const write = async (name: string, program: string, user: string): Promise<string> => {
    const content = readFileSync(join(programs, program));
    const entries = [{ kind: 'file', path: program, mode: 0o755, content } as const];
    const file = join(folder, `${program}.tar`);
    const config = { User: user, Entrypoint: [`/${program}`], WorkingDir: '/' };
    const layers = [{ entries, createdBy: 'hack/node' }];
    await writeImage({ name, architecture: ownArchitecture, layers, config }, file);
    return file;
  };
  return [await write(pauseImage, 'pause', '65535:65535'), await write(demoImage, 'demo', '65532:65532')];
}
