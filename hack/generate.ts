// `make generate`: writes what is made from something else: the tables of docs/reference from the code that they
// describe, copies of the CRD, Argo CD's settings, and parts of the chart.
//
// Each page holds one block between two comment lines; the words around it are written by hand. With --check nothing
// is written: a page that is out of date fails.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { createProgram } from '../src/cli/program.ts';
import { settingDefinitions } from '../src/cli/settings.ts';
import type { SettingDefinition } from '../src/cli/settings.ts';
import { faults } from '../src/http/fault.ts';
import type { Fault } from '../src/http/fault.ts';
import { dataPlaneMetrics } from '../src/telemetry/data-plane-metrics.ts';
import { operatorMetrics } from '../src/telemetry/operator-metrics.ts';
import { chartSchema, ownershipPolicySpec, valuesTable } from './generate-chart.ts';

const root = new URL('../', import.meta.url);
const isCheck = process.argv.includes('--check');

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function errorsTable(): string {
  const rows = Object.entries(faults as Readonly<Record<string, Fault>>).map(([code, fault]) => [
    `<a id="${code}"></a>\`${code}\``,
    fault.status === 0 ? 'none' : String(fault.status),
    fault.side,
    fault.closes ? 'yes' : '',
    fault.retryable ? 'yes' : '',
    fault.text,
  ]);
  return table(['fault', 'status', 'side', 'ends the connection', 'next endpoint tried', 'meaning'], rows);
}

function metricsTables(): string {
  return `## Data plane\n\n${metricsTable(dataPlaneMetrics)}\n\n## Operator\n\n${metricsTable(operatorMetrics)}`;
}

type Described = Pick<(typeof operatorMetrics)[number], 'name' | 'type' | 'labels' | 'help'>;

function metricsTable(definitions: readonly Described[]): string {
  const rows = definitions.map(({ name, type, labels, help }) => [
    `\`${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(', '),
    help,
  ]);
  return table(['metric', 'type', 'labels', 'what it counts'], rows);
}

function flagsTables(): string {
  const silent = { stdout: () => {}, stderr: () => {}, exit: () => {} };
  const program = createProgram(silent, () => {});
  return program.commands.map(commandSection).join('\n\n');
}

function commandSection(command: Command): string {
  const usage = [command.name(), ...command.registeredArguments.map((argument) => `<${argument.name()}>`)];
  const rows = command.options.map((option) => [
    `\`${option.flags}\``,
    [option.description, option.argChoices === undefined ? '' : `(${option.argChoices.join(', ')})`]
      .join(' ')
      .trim(),
    defaultText(option.defaultValue as unknown),
  ]);
  return `## flint ${usage.join(' ')}\n\n${capitalise(command.description())}.\n\n${table(['flag', 'meaning', 'default'], rows)}`;
}

function defaultText(value: unknown): string {
  if (value === undefined || Array.isArray(value)) return '';
  if (typeof value === 'object' && value !== null && 'host' in value && 'port' in value)
    return `\`${String(value.host)}:${String(value.port)}\``;
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function settingsTable(): string {
  const rows = settingDefinitions.map(({ key, type, default: fallback, readBy, help }) => [
    `\`${key}\``,
    settingType(type),
    `\`${Array.isArray(fallback) ? '[]' : String(fallback)}\``,
    readBy,
    help,
  ]);
  return table(['setting', 'type', 'default', 'read by', 'meaning'], rows);
}

function settingType(type: SettingDefinition['type']): string {
  switch (type.kind) {
    case 'Count':
      return `${type.least}-${type.most}`;
    case 'Duration':
      return 'duration';
    case 'Size':
      return 'size';
    case 'CidrList':
      return 'list of CIDR blocks';
    case 'Word':
      return type.words.join(' / ');
    case 'Backend':
      return 'namespace/service:port';
    case 'Secret':
      return 'namespace/secret';
  }
}

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxLength?: number;
  readonly 'x-kubernetes-validations'?: readonly { readonly message: string }[];
}

interface CrdFile {
  readonly spec: { readonly versions: readonly [{ readonly schema: { readonly openAPIV3Schema: Schema } }] };
}

function crdTable(): string {
  const crd = parse(readFileSync(new URL('crds/ingressroute.yaml', root), 'utf8')) as CrdFile;
  const [version] = crd.spec.versions;
  const rows: string[][] = [];
  const visit = (schema: Schema, path: string, isRequired: boolean): void => {
    if (path !== '') {
      const rules = (schema['x-kubernetes-validations'] ?? []).map(({ message }) => `Refused: ${message}.`);
      rows.push([
        `\`${path}\`${isRequired ? ' (required)' : ''}`,
        typeText(schema),
        [schema.description ?? '', ...rules].filter((text) => text !== '').join(' '),
      ]);
    }
    const inner = schema.items ?? schema;
    const prefix = schema.items === undefined ? path : `${path}[]`;
    for (const [name, property] of Object.entries(inner.properties ?? {}))
      if (!['apiVersion', 'kind', 'metadata'].includes(name))
        visit(property, prefix === '' ? name : `${prefix}.${name}`, inner.required?.includes(name) ?? false);
  };
  visit(version.schema.openAPIV3Schema, '', true);
  return table(
    ['field', 'type', 'meaning'],
    rows.map((row) => row.slice(0, 3).map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' '))),
  );
}

function typeText(schema: Schema): string {
  const range = (least: number | undefined, most: number | undefined): string =>
    most === undefined ? '' : ` ${least ?? 0}-${most}`;
  if (schema.enum !== undefined) return schema.enum.join(' / ');
  if (schema.type === 'array')
    return `list of ${schema.items?.type ?? 'any'}${range(schema.minItems, schema.maxItems)}`;
  if (schema.type === 'integer') return `integer${range(schema.minimum, schema.maximum)}`;
  if (schema.type === 'string' && schema.maxLength !== undefined)
    return `string, at most ${schema.maxLength}`;
  return schema.type ?? '';
}

const pages: Readonly<Record<string, () => string>> = {
  'docs/reference/errors.md': errorsTable,
  'docs/reference/metrics.md': metricsTables,
  'docs/reference/flags.md': flagsTables,
  'docs/reference/settings.md': settingsTable,
  'docs/reference/ingressroute.md': crdTable,
  'docs/reference/values.md': valuesTable,
  'helm/flint/README.md': valuesTable,
};

const begin = '<!-- generated by make generate: begin -->';
const end = '<!-- generated by make generate: end -->';

const crd = (): string => readFileSync(new URL('crds/ingressroute.yaml', root), 'utf8');

/** Files that are made as a whole, from what they hold now. */
const files: Readonly<Record<string, (before: string) => string>> = {
  'config/argocd/argocd-cm.yaml': argoCdSettings,
  'config/crd/ingressroute.yaml': crd,
  'helm/flint/crds/ingressroute.yaml': crd,
  'helm/flint/files/ownership-policy-spec.yaml': ownershipPolicySpec,
  'helm/flint/values.schema.json': chartSchema,
};

/** What Argo CD's settings need, as a patch of them. */
function argoCdSettings(): string {
  const script = 'config/argocd/resource_customizations/flint.dev/IngressRoute/health.lua';
  const lines = readFileSync(new URL(script, root), 'utf8').trimEnd().split('\n');
  return `# Made by make generate from health.lua beside it. Argo CD learns from it when an IngressRoute is healthy:
# kubectl patch configmap argocd-cm -n argocd --patch-file config/argocd/argocd-cm.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: argocd
data:
  resource.customizations.health.flint.dev_IngressRoute: |
${lines.map((line) => (line === '' ? '' : `    ${line}`)).join('\n')}
`;
}

let stale = 0;
function update(file: string, before: string, after: string): void {
  if (before === after) return;
  stale++;
  if (isCheck) process.stderr.write(`${file} is out of date; run 'make generate'\n`);
  else writeFileSync(new URL(file, root), after);
}

for (const [file, content] of Object.entries(files)) {
  const url = new URL(file, root);
  const before = existsSync(url) ? readFileSync(url, 'utf8') : '';
  update(file, before, content(before));
}
for (const [page, content] of Object.entries(pages)) {
  const url = new URL(page, root);
  const text = readFileSync(url, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has no generated block`);
  update(page, text, `${text.slice(0, from)}${begin}\n\n${content()}\n\n${text.slice(to)}`);
}
process.stdout.write(
  isCheck ? `${stale === 0 ? 'generated files are up to date' : `${stale} stale`}\n` : `${stale} written\n`,
);
if (isCheck && stale > 0) process.exitCode = 1;
