// YAML and JSON text -> Kubernetes objects, each with the places of its fields in the file.
import { LineCounter, isMap, isNode, parseAllDocuments, visit } from 'yaml';
import type { Document, Node, Tags } from 'yaml';
import { isFields } from '#api/field-reader.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';

export interface Position {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;
}

export interface Manifest {
  readonly object: KubernetesObject;
  /** Where a field such as `spec.rules[0].name` stands, or the nearest part around it. */
  readonly locate: (place: string) => Position;
}

export interface ManifestFault {
  readonly position: Position;
  readonly message: string;
}

export interface ParsedManifests {
  readonly manifests: readonly Manifest[];
  readonly faults: readonly ManifestFault[];
}

export function positionText({ file, line, column }: Position): string {
  return `${file}:${line}:${column}`;
}

/** Documents separated by `---`; a List object stands for its items. Never throws. */
export function parseManifests(text: string, file: string): ParsedManifests {
  const lines = new LineCounter();
  const manifests: Manifest[] = [];
  const faults: ManifestFault[] = [];
  const positionAt = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  for (const document of documentsOf(text, lines)) {
    for (const error of document.errors)
      faults.push({ position: positionAt(error.pos[0]), message: firstLine(error.message) });
    if (document.errors.length > 0) continue;
    const locate = (path: readonly (string | number)[]): Position =>
      positionAt(offsetOf(document, path) ?? 0);
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      // An alias without its anchor, or aliases that multiply beyond all bounds.
      faults.push({
        position: positionAt(unresolvedAliasOf(document) ?? startOf(document.contents) ?? 0),
        message: error instanceof Error ? error.message : String(error),
      });
      continue;
    }
    // An empty document, such as after a last `---`, holds nothing.
    if (value !== null && value !== undefined) readValue(value, [], locate, manifests, faults);
  }
  return { manifests, faults };
}

function documentsOf(text: string, lineCounter: LineCounter): readonly Document[] {
  const documents = parseAllDocuments(text, {
    version: '1.1',
    customTags: (tags) => tags.filter(isKnownToKubectl),
    lineCounter,
    prettyErrors: false,
    strict: true,
    uniqueKeys: true,
    logLevel: 'error',
  });
  return Array.isArray(documents) ? documents : [];
}

/**
 * kubectl reads YAML 1.1, where `yes`, `off` and `n` are booleans, but knows no times and no sets: what it would send is
 * what has to be judged here.
 */
function isKnownToKubectl(tag: Tags[number]): boolean {
  if (typeof tag === 'string') return true;
  return tag.format !== 'TIME' && !kubectlReadsAsText.has(tag.tag);
}

const kubectlReadsAsText = new Set(
  ['timestamp', 'binary', 'omap', 'pairs', 'set'].map((name) => `tag:yaml.org,2002:${name}`),
);

type Locate = (path: readonly (string | number)[]) => Position;

function readValue(
  value: unknown,
  path: readonly (string | number)[],
  locate: Locate,
  manifests: Manifest[],
  faults: ManifestFault[],
): void {
  const missing = missingIdentity(value);
  if (missing !== undefined) {
    faults.push({ position: locate(path), message: missing });
    return;
  }
  const object = value as KubernetesObject;
  if (isList(object)) {
    for (const [index, item] of ((object['items'] ?? []) as readonly unknown[]).entries())
      readValue(item, [...path, 'items', index], locate, manifests, faults);
    return;
  }
  manifests.push({ object, locate: (place) => locate([...path, ...pathOf(place)]) });
}

/** A List of kubectl or of the API server: it has items, or no name of its own. */
function isList(value: Readonly<Record<string, unknown>>): boolean {
  const { kind, items } = value;
  if (typeof kind !== 'string' || !kind.endsWith('List')) return false;
  return Array.isArray(items) || (items ?? undefined) === undefined;
}

/** What keeps a value from being a Kubernetes object, if anything. */
function missingIdentity(value: unknown): string | undefined {
  if (!isFields(value)) return 'is no Kubernetes object';
  const { apiVersion, kind, metadata } = value;
  if (typeof apiVersion !== 'string') return 'apiVersion is missing';
  if (typeof kind !== 'string') return 'kind is missing';
  if (isList(value)) return undefined;
  if (!isFields(metadata) || typeof metadata['name'] !== 'string' || metadata['name'] === '')
    return 'metadata.name is missing';
  return undefined;
}

/** `spec.rules[2].name` -> ['spec', 'rules', 2, 'name']. */
function pathOf(place: string): readonly (string | number)[] {
  return [...place.matchAll(/[^.[\]]+|\[([0-9]+)\]/g)].map(([text, index]) =>
    index === undefined ? text : Number(index),
  );
}

/** The offset of the key of the deepest field of `path` that exists. */
function offsetOf(document: Document, path: readonly (string | number)[]): number | undefined {
  let node: unknown = document.contents;
  let offset = startOf(node);
  for (const step of path) {
    let next: unknown;
    if (isMap(node)) {
      const pair = node.items.find((item) => String(item.key) === String(step));
      if (pair === undefined) break;
      offset = startOf(pair.key) ?? offset;
      next = pair.value;
    } else if (typeof step === 'number' && typeof node === 'object' && node !== null && 'items' in node) {
      next = (node.items as readonly unknown[])[step];
      offset = startOf(next) ?? offset;
    }
    if (next === undefined) break;
    node = next;
  }
  return offset;
}

function unresolvedAliasOf(document: Document): number | undefined {
  let found: number | undefined;
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document) !== undefined) return undefined;
      found = startOf(alias);
      return visit.BREAK;
    },
  });
  return found;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}

function firstLine(message: string): string {
  return message.split('\n')[0] ?? message;
}
