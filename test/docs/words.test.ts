// What the pages call by name exists: metrics, flags, settings, fields, faults, reasons, paths of the admin port, variables of
// the environment. A page that promises a name that nobody knows sends its reader astray.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { problemReasons } from '#api/problem.ts';
import { createProgram } from '#cli/program.ts';
import { settingDefinitions } from '#cli/settings.ts';
import { faults } from '#http/fault.ts';
import { crdPath } from '#local/crd-file.ts';
import { proofReasons } from '#operator/judge.ts';
import { dataPlaneMetrics } from '#telemetry/data-plane-metrics.ts';
import { operatorMetrics } from '#telemetry/operator-metrics.ts';
import { codeSpans, readPage, root, userPages } from './pages.ts';
import type { Page, Place } from './pages.ts';

const sources = ['src', 'hack', 'test/bench', 'test/cluster']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8')),
  )
  .join('\n');

const program = createProgram({ stdout: () => {}, stderr: () => {}, exit: () => {} }, () => {});
const flagsOf = new Map(
  program.commands.map((command) => [
    command.name(),
    new Set(command.options.flatMap(({ short, long }) => [short, long]).filter((flag) => flag !== undefined)),
  ]),
);
const allFlags = new Set([...flagsOf.values()].flatMap((flags) => [...flags]).concat('--version', '--help'));
/** Of kubectl, Helm, curl, runtimes and scripts of ours, where a page names one by itself. */
const foreignFlags = new Set([
  '--force-conflicts',
  '--registry',
  '--heap-growing-percent',
  '--optimize-for-size',
  '--create-namespace',
  '--disable',
]);

const metrics = new Set<string>([...dataPlaneMetrics, ...operatorMetrics].map(({ name }) => name));
const settings = new Set(settingDefinitions.map(({ key }) => key));
const reasons = new Set<string>([...problemReasons, ...proofReasons]);
const adminPaths = new Set([
  ...[...sources.matchAll(/^\s+'(\/[a-z]+)': \(/gm)].map((match) => match[1]!),
  '/livez',
  '/readyz',
  '/metrics',
]);

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

/** `spec.rules[].timeouts` and every end of it, without the brackets. */
const fields = new Set<string>();
function addFields(schema: Schema, path: readonly string[]): void {
  for (let from = 0; from < path.length; from++) fields.add(path.slice(from).join('.'));
  const { properties = {} } = schema.items ?? schema;
  for (const [name, each] of Object.entries(properties)) addFields(each, [...path, name]);
}
const crd = parse(readFileSync(crdPath, 'utf8')) as {
  readonly spec: { readonly versions: readonly [{ readonly schema: { readonly openAPIV3Schema: Schema } }] };
};
addFields(crd.spec.versions[0].schema.openAPIV3Schema, []);
const fieldHeads = new Set(
  [...fields].filter((path) => path.includes('.')).map((path) => path.split('.')[0]!),
);
/** Of Ingresses, Services and others, and words of the chart, that begin as fields of ours do. */
const foreignFields =
  /^(spec\.(defaultBackend|rules\.(host|http)|tls\.(hosts|secretName)|type)|status\.loadBalancer|metadata|tls\.(crt|key)|policy\.(yaml|md)|http\.)/;

/** The last words of faults; what ends so and is no fault, but a reason for a TLS handshake or the like, stands below. */
const faultEnds = new Set(Object.keys(faults).map((code) => code.split('-').at(-1)!));
const foreignFaults = new Set([
  'client-refused',
  'version-too-low',
  // A field, and annotations of ingress-nginx.
  'grpc-timeout',
  'proxy-read-timeout',
  'proxy-send-timeout',
  'proxy-connect-timeout',
  'proxy-next-upstream-timeout',
]);

const judges: readonly ((text: string) => string | undefined)[] = [
  (text) => {
    const name = /^flint_[a-z0-9_]+/.exec(text)?.[0];
    const isKnown = name === undefined || metrics.has(name.replace(/_(bucket|sum|count)$/, ''));
    return isKnown || metrics.has(name) ? undefined : 'is no metric';
  },
  (text) => {
    const flag = /^--[a-z][a-z-]*/.exec(text)?.[0];
    return flag === undefined || allFlags.has(flag) || foreignFlags.has(flag) ? undefined : 'is no flag';
  },
  (text) => {
    if (!/^[a-z][A-Za-z]*(\[\])?(\.[a-zA-Z]+(\[\])?)+$/.test(text)) return undefined;
    const path = text.replaceAll('[]', '');
    const head = path.split('.')[0]!;
    const isOurs = fieldHeads.has(head) || head === 'limits';
    if (!isOurs || settings.has(path) || fields.has(path) || foreignFields.test(path)) return undefined;
    return 'is neither a field of an IngressRoute nor a setting';
  },
  (text) => {
    const isLike = /^[a-z]+(-[a-z]+)+$/.test(text) && faultEnds.has(text.split('-').at(-1)!);
    return !isLike || text in faults || foreignFaults.has(text) ? undefined : 'is no fault';
  },
  (text) => {
    const isLike = /^[A-Z][A-Za-z]+(Conflict|NotFound|Pending|TooLarge|TooOld|DataPlane|Unusable)$/.test(
      text,
    );
    return !isLike || reasons.has(text) ? undefined : 'is no reason';
  },
  (text) => {
    const name = /^FLINT_[A-Z_]+/.exec(text)?.[0];
    return name === undefined || sources.includes(name) ? undefined : 'is read by nobody';
  },
  (text) => {
    // A file of ours, from the root or from src/; a new one of a user has no folder in front.
    if (!/^[a-z0-9-]+(\/[a-z0-9-]+)+(\.test)?\.ts$/.test(text)) return undefined;
    return ['', 'src'].some((folder) => existsSync(join(root, folder, text))) ? undefined : 'is no file';
  },
];

function unknownWords(page: Page): readonly string[] {
  return codeSpans(page).flatMap(({ line, text }) =>
    judges.flatMap((judge) => {
      const fault = judge(text);
      return fault === undefined ? [] : [`${page.path}:${line}: \`${text}\` ${fault}`];
    }),
  );
}

/** The lines that are typed, of blocks and of prose. */
function commandLines(page: Page): readonly Place[] {
  const typed = page.fences.flatMap(({ text, line }) =>
    text
      .replaceAll('\\\n', '  ')
      .split('\n')
      .map((each, index) => ({ line: line + index, text: each })),
  );
  return [...typed, ...codeSpans(page)];
}

function wrongCommands(page: Page): readonly string[] {
  return commandLines(page).flatMap(({ line, text }) => {
    const where = `${page.path}:${line}: ${text.trim()}`;
    const [, name = '', rest = ''] =
      /(?:^|[ /])flint(?: --)? ([a-z]+)((?: .*)?)$/.exec(text.replace(/^\s*\$ /, '')) ?? [];
    const known = flagsOf.get(name);
    const flags =
      known === undefined ? [] : [...rest.split(/ [|>&#]/)[0]!.matchAll(/ (--?[a-zA-Z][a-z-]*)/g)];
    const wrong = flags.filter(([, flag]) => !known!.has(flag!)).map(([, flag]) => `${where}: no ${flag}`);
    const path = /:9901(\/[a-z]+)/.exec(text)?.[1];
    return path === undefined || adminPaths.has(path) ? wrong : [...wrong, `${where}: no ${path}`];
  });
}

test('every name in the pages is one that the code knows', () => {
  const spans = userPages.flatMap(codeSpans);
  assert.ok(spans.length > 1000, `only ${spans.length} words in backticks were found`);
  assert.deepEqual(userPages.flatMap(unknownWords), []);
});

test('every command that the pages show takes the flags that it is given', () => {
  assert.deepEqual(userPages.flatMap(wrongCommands), []);
});

test('a name that nobody knows is found', () => {
  const wrong = [
    'flint_request_total',
    '--worker',
    'timeouts.connet',
    'limits.heads',
    'spec.rules[].timeout',
    'backend-refused',
  ];
  wrong.push('tls.mod', 'route-missing-found', 'TlsPending', 'FLINT_RUNTIMES');
  const found = unknownWords(readPage('x.md', wrong.map((word) => `\`${word}\``).join('\n')));
  assert.deepEqual(
    found.map((each) => /`(.*)`/.exec(each)?.[1]),
    wrong.filter((word) => word !== 'backend-refused'),
  );
  const typed =
    '    flint check --nothing -f x\n\n    curl localhost:9901/ejections\n\n    flint run -f x --http :80 # --a\n';
  assert.equal(wrongCommands(readPage('x.md', typed)).length, 2);
});

test('docs/troubleshooting.md knows every fault and every reason', () => {
  const page = userPages.find(({ path }) => path === 'docs/troubleshooting.md');
  assert.ok(page !== undefined);
  const words = new Set(codeSpans(page).map(({ text }) => text));
  assert.deepEqual(
    [...Object.keys(faults), ...reasons].filter((word) => word !== 'TooManyEndpoints' && !words.has(word)),
    [],
  );
});
