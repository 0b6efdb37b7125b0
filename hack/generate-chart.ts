// What `make generate` makes for the chart: the table of its values, the part of its schema that is about settings, and the
// rules of the ownership policy.
import { readFileSync } from 'node:fs';
import { isMap, isScalar, parseDocument } from 'yaml';
import type { Pair, ParsedNode, Scalar, YAMLMap } from 'yaml';
import { settingDefinitions } from '../src/cli/settings.ts';
import type { SettingDefinition } from '../src/cli/settings.ts';

const root = new URL('../', import.meta.url);
const lineLength = 110;

export interface ChartValue {
  /** `proxy.hostPorts.http`. */
  readonly path: string;
  readonly default: unknown;
  readonly comment: string;
}

/** What a block of values.yaml is about. */
export type ChartSection = Omit<ChartValue, 'default'>;

/** Every value of values.yaml, in its order: a map in block style is descended into, all else is a value. */
export function chartValues(): { readonly values: readonly ChartValue[]; readonly sections: ChartSection[] } {
  const document = parseDocument(readFileSync(new URL('helm/flint/values.yaml', root), 'utf8'));
  const values: ChartValue[] = [];
  const sections: ChartSection[] = [];
  const visit = (map: YAMLMap.Parsed, prefix: string): void => {
    for (const [index, pair] of (map.items as Pair<Scalar, ParsedNode | null>[]).entries()) {
      const path = `${prefix}${String(pair.key.value)}`;
      // The parser gives the comment above the first key of a nested map to the map.
      const comment =
        pair.key.commentBefore ?? (index === 0 && prefix !== '' ? (map.commentBefore ?? '') : '');
      // A remark about the whole file stands apart from that about its first value.
      const paragraph = comment.split('\n\n').at(-1) ?? '';
      const text = paragraph.split('\n').map((line) => line.trim());
      const isBlock = isMap(pair.value) && pair.value.flow !== true;
      // Of quantities and the like only the whole has a meaning here.
      if (isBlock && !path.endsWith('.resources')) {
        if (comment !== '') sections.push({ path, comment: text.join(' ') });
        visit(pair.value as YAMLMap.Parsed, `${path}.`);
      } else values.push({ path, default: valueOf(pair.value), comment: text.join(' ') });
    }
  };
  visit(document.contents as YAMLMap.Parsed, '');
  return { values, sections };
}

function valueOf(node: ParsedNode | null): unknown {
  return isScalar(node) ? node.value : node?.toJSON();
}

export function valuesTable(): string {
  const { values, sections } = chartValues();
  for (const { path, comment } of values)
    if (comment === '') throw new Error(`values.yaml: ${path} has no comment`);
  const groups = new Map<string, string[]>();
  for (const value of values) {
    const name = value.path.includes('.') ? (value.path.split('.')[0] ?? '') : '';
    const section = sections.find(({ path }) => value.path.startsWith(`${path}.`) && path.includes('.'));
    const meaning = section === undefined ? value.comment : `${section.comment} ${value.comment}`;
    const row = `| \`${value.path}\` | \`${JSON.stringify(value.default)}\` | ${meaning.replaceAll('|', '\\|')} |`;
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  return [...groups].map(([name, rows]) => groupText(name, rows, sections)).join('\n\n');
}

function groupText(name: string, rows: readonly string[], sections: readonly ChartSection[]): string {
  const about = sections.find(({ path }) => path === name)?.comment;
  return [
    `### ${name === '' ? 'The whole' : name}`,
    '',
    ...(about === undefined ? [] : [about, '']),
    '| value | default | meaning |',
    '| --- | --- | --- |',
    ...rows,
  ].join('\n');
}

interface ChartSchema {
  readonly properties: Record<string, unknown>;
}

/** values.schema.json as it should be: everything by hand, but for `settings`. */
export function chartSchema(text: string): string {
  const schema = JSON.parse(text) as ChartSchema;
  schema.properties['settings'] = settingsSchema();
  return `${compactJson(schema, '')}\n`;
}

function settingsSchema(): object {
  const settings: Record<string, unknown> = {};
  const groups: Record<string, Record<string, unknown>> = {};
  for (const { key, type } of settingDefinitions) {
    const [group = '', name] = key.split('.');
    if (name === undefined) settings[group] = settingSchema(type);
    else (groups[group] ??= {})[name] = settingSchema(type);
  }
  for (const [name, properties] of Object.entries(groups))
    settings[name] = { type: 'object', additionalProperties: false, properties };
  return { type: 'object', additionalProperties: false, properties: settings };
}

/** As far as a schema can tell; the program itself judges the rest at its start. */
function settingSchema(type: SettingDefinition['type']): object {
  switch (type.kind) {
    case 'Count':
      return { type: 'integer', minimum: type.least, maximum: type.most };
    case 'Duration':
      return { type: 'string', pattern: '^([0-9]{1,5}(h|m|s|ms)){1,4}$' };
    case 'Size':
      return { type: ['string', 'integer'], pattern: '^(0|[1-9][0-9]{0,8}(k|M|G|Ki|Mi|Gi)?)$' };
    case 'CidrList':
      return { type: 'array', items: { type: 'string', pattern: '^[0-9A-Fa-f.:]+/[0-9]{1,3}$' } };
    case 'Word':
      return { enum: type.words };
    case 'Backend':
      return { type: 'string', pattern: '^$|^[a-z0-9-]{1,63}/[a-z0-9-]{1,63}:[0-9]{1,5}$' };
    case 'Secret':
      return { type: 'string', pattern: '^$|^[a-z0-9-]{1,63}/[a-z0-9.-]{1,253}$' };
  }
}

/** Whatever fits on a line stands on one. */
function compactJson(value: unknown, indent: string): string {
  const flat = JSON.stringify(value, null, 1).replaceAll(/\n\s*/g, ' ');
  if (flat.length + indent.length <= lineLength || typeof value !== 'object' || value === null) return flat;
  const deeper = `${indent}  `;
  if (Array.isArray(value))
    return `[\n${value.map((each) => deeper + compactJson(each, deeper)).join(',\n')}\n${indent}]`;
  const fields = Object.entries(value).map(
    ([key, each]) => `${deeper}${JSON.stringify(key)}: ${compactJson(each, deeper)}`,
  );
  return `{\n${fields.join(',\n')}\n${indent}}`;
}

/** The `spec:` of the ValidatingAdmissionPolicy in config/, letter for letter, for the chart to include. */
export function ownershipPolicySpec(): string {
  const text = readFileSync(new URL('config/ownership/policy.yaml', root), 'utf8');
  const policy = text.split('\n---\n').find((each) => each.includes('\nkind: ValidatingAdmissionPolicy\n'));
  const at = policy?.indexOf('\nspec:\n') ?? -1;
  if (policy === undefined || at < 0) throw new Error('config/ownership/policy.yaml has no policy');
  return `${policy.slice(at + 1)}\n`;
}
