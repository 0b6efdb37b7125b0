// The images that Flint ships as: what each is for, what it runs on, and how it is started.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownArchitecture } from '../oci-image.ts';
import type { ImageConfig } from '../oci-image.ts';

export type Runtime = 'node' | 'bun';

export interface ImagePlan {
  /** Without registry and tag. */
  readonly name: string;
  /** What it is for, and what its bundle has besides the commands for a desk: `check`, `explain`, `run`. */
  readonly command: 'operator' | 'proxy';
  readonly runtime: Runtime;
  readonly title: string;
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly ports: readonly number[];
}

const root = new URL('../../', import.meta.url);

/** Of package.json, which everything else follows: the chart, the tags and `flint --version`. */
export const version = (
  JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { readonly version: string }
).version;

const httpPort = 8080;
const httpsPort = 8443;
const adminPort = 9901;

const proxy = { command: 'proxy', environment: {}, ports: [httpPort, httpsPort, adminPort] } as const;

export const imagePlans: readonly ImagePlan[] = [
  {
    name: 'flint-operator',
    command: 'operator',
    runtime: 'node',
    title: 'Flint, the control plane of a Kubernetes ingress controller',
    // As hack/flint starts it, where it is said what they are good for.
    flags: ['--max-semi-space-size=8', '--heap-growing-percent=20'],
    environment: { MALLOC_ARENA_MAX: '1' },
    ports: [adminPort],
  },
  { ...proxy, name: 'flint-proxy', runtime: 'bun', title: 'Flint, the data plane', flags: [] },
  { ...proxy, name: 'flint-proxy-node', runtime: 'node', title: 'Flint, the data plane on Node', flags: [] },
];

export function imagePlan(name: string): ImagePlan {
  const plan = imagePlans.find((each) => each.name === name);
  if (plan === undefined)
    throw new Error(`${name} is none of the images: ${imagePlans.map((each) => each.name).join(', ')}`);
  return plan;
}

/** Where `make image` writes it. */
export function imageFile(folder: string, name: string, tag: string): string {
  return join(folder, `${name}-${tag}-linux-${ownArchitecture}.tar`);
}

/** Inside an image: the runtime, and the folder of the bundle; the CRD lies two folders above it, as in a checkout. */
export function runtimePath(runtime: Runtime): string {
  return `usr/bin/${runtime}`;
}
export const flintFolder = 'opt/flint';
export const bundleFolder = `${flintFolder}/lib/flint`;

/** Nobody, as every other image without a shell has it. */
export const userId = 65_532;

export function entrypoint(plan: ImagePlan): readonly string[] {
  return [`/${runtimePath(plan.runtime)}`, ...plan.flags, `/${bundleFolder}/main.js`];
}

export function imageConfig(plan: ImagePlan, tag: string = version): ImageConfig {
  return {
    User: `${userId}:${userId}`,
    Entrypoint: entrypoint(plan),
    Cmd: [plan.command],
    Env: Object.entries(plan.environment).map(([name, value]) => `${name}=${value}`),
    WorkingDir: '/',
    ExposedPorts: Object.fromEntries(plan.ports.map((port) => [`${port}/tcp`, {}])),
    Labels: labels(plan, tag),
  };
}

export function labels(plan: ImagePlan, tag: string): Readonly<Record<string, string>> {
  return {
    'org.opencontainers.image.title': plan.title,
    'org.opencontainers.image.version': tag,
    'org.opencontainers.image.licenses': 'Apache-2.0',
  };
}
