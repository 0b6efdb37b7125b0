// Helm, as whoever installs Flint runs it: renders of the chart.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { builtBy } from '../cluster/built.ts';

const root = new URL('../../', import.meta.url).pathname;

export const chartFolder = join(root, 'helm/flint');
export const release = { name: 'flint', namespace: 'flint-system' } as const;

const binary = builtBy('helm-binary');
/** Nothing of the user's own Helm is read or written. */
const home = mkdtempSync(join(tmpdir(), 'flint-helm-'));
process.on('exit', () => rmSync(home, { recursive: true, force: true }));

/** Why tests that need Helm cannot run here; false when they can. */
export const whyNoHelm: string | false = 'missing' in binary ? binary.missing : false;

export interface HelmResult {
  readonly isDone: boolean;
  readonly output: string;
  readonly errors: string;
}

export function helm(args: readonly string[], input = ''): HelmResult {
  if ('missing' in binary) throw new Error(binary.missing);
  const { status, stdout, stderr } = spawnSync(binary.path, args, {
    encoding: 'utf8',
    input,
    env: { PATH: process.env['PATH'], HOME: home },
  });
  return { isDone: status === 0, output: stdout, errors: stderr };
}

export type Render =
  | { readonly kind: 'Rendered'; readonly text: string; readonly objects: readonly KubernetesObject[] }
  | { readonly kind: 'Refused'; readonly message: string };

/** What `helm template` makes of values in YAML. */
export function render(values: string, args: readonly string[] = []): Render {
  const place = ['--namespace', release.namespace];
  const result = helm(['template', release.name, chartFolder, ...place, '--values', '-', ...args], values);
  if (!result.isDone) return { kind: 'Refused', message: refusalOf(result.errors) };
  return { kind: 'Rendered', text: result.output, objects: parseObjects(result.output) };
}

export function rendered(values = '', args: readonly string[] = []): readonly KubernetesObject[] {
  const result = render(values, args);
  if (result.kind === 'Refused') throw new Error(result.message);
  return result.objects;
}

export function parseObjects(text: string): readonly KubernetesObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    const object = document.toJS() as KubernetesObject | null;
    return object === null ? [] : [object];
  });
}

const labelsOfTheChart = ['app.kubernetes.io/managed-by', 'app.kubernetes.io/version', 'helm.sh/chart'];

/** The object as others than Helm would make it. */
export function withoutChartLabels(object: KubernetesObject): KubernetesObject {
  const labels = Object.entries(object.metadata.labels ?? {});
  if (labels.length === 0) return object;
  const kept = labels.filter(([name]) => !labelsOfTheChart.includes(name));
  return { ...object, metadata: { ...object.metadata, labels: Object.fromEntries(kept) } };
}

/** `Deployment flint-system/flint-operator`, `ClusterRole flint-operator`. */
export function idOf({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`;
}

export function byId(objects: readonly KubernetesObject[]): ReadonlyMap<string, KubernetesObject> {
  const found = new Map<string, KubernetesObject>();
  for (const object of objects) {
    if (found.has(idOf(object))) throw new Error(`${idOf(object)} is there twice`);
    found.set(idOf(object), object);
  }
  return found;
}

/** The lines that say what is wrong, sorted: Helm takes them as they come. Its words around them name places on this machine. */
function refusalOf(errors: string): string {
  const said = /^Error: execution error at \([^)]*\): (.*)$/m.exec(errors)?.[1];
  if (said !== undefined) return said;
  const faults = errors.split('\n').filter((line) => /^\s*- at '/.test(line));
  return faults.length === 0
    ? errors.trim()
    : faults
        .map((line) => line.trim())
        .sort()
        .join('\n');
}
