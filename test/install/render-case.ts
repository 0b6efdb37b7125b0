// One file of test/install/renders: values, a separator, and what the chart makes of them.
//
// The case `default` expects every object. Any other expects what differs from it: objects that are new or changed, `removed`
// for those that are not there, or `refused` where the schema or a check refuses the values. Comment lines at the top say
// what the case shows; one that begins with `# helm:` holds more arguments.
// The labels that name the chart and its version are left out.
import { isDeepStrictEqual } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { goldenText } from '../golden-text.ts';
import { byId, withoutChartLabels } from './helm.ts';
import type { Render } from './helm.ts';

const separator = '# ---- expected\n';

export interface RenderCase {
  readonly text: string;
  readonly values: unknown;
  readonly args: readonly string[];
  /** Undefined for a new case. */
  readonly expected: readonly unknown[] | undefined;
  /** The same file with another expectation. */
  readonly rewritten: (actual: readonly unknown[]) => string;
}

export function parseRenderCase(file: string): RenderCase {
  const [text = '', expected] = file.split(separator);
  if (!text.startsWith('# ')) throw new Error('a case starts with a comment that says what it shows');
  return {
    text,
    values: parse(text) ?? {},
    args: /^# helm: (.*)$/m.exec(text)?.[1]?.split(' ') ?? [],
    expected:
      expected === undefined
        ? undefined
        : parseAllDocuments(expected).map((document) => document.toJS() as unknown),
    rewritten: (actual) => `${text}${separator}${actual.map(goldenText).join('---\n')}`,
  };
}

export function outcomeOf(render: Render, defaults: readonly KubernetesObject[]): readonly unknown[] {
  if (render.kind === 'Refused') return [{ refused: render.message }];
  const objects = render.objects.map(withoutChartLabels);
  const [before, now] = [byId(defaults.map(withoutChartLabels)), byId(objects)];
  const changed = objects.filter(
    (object) => ![...before.values()].some((other) => isDeepStrictEqual(object, other)),
  );
  const removed = [...before.keys()].filter((id) => !now.has(id));
  return [...changed, ...(removed.length === 0 ? [] : [{ removed }])];
}

/** `proxy.hostPorts.http` of nested values; lists and empty maps are ends. */
export function* pathsOf(values: unknown, prefix = ''): Generator<string> {
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    yield prefix;
    return;
  }
  if (Object.keys(values).length === 0) yield prefix;
  for (const [name, value] of Object.entries(values))
    yield* pathsOf(value, prefix === '' ? name : `${prefix}.${name}`);
}
