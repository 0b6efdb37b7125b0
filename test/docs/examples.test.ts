// Every block of YAML in the pages is one that may be copied: it parses, and what is ours in it is what the CRD, the parsers
// and the settings take. A block that shows a part of an IngressRoute is put where it belongs first.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseAllDocuments, stringify } from 'yaml';
import { isFields } from '#api/field-reader.ts';
import { parseIngress } from '#api/ingress.ts';
import { parseIngressRoute } from '#api/ingress-route.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { Problem } from '#api/problem.ts';
import { loadSettings, settingDefinitions } from '#cli/settings.ts';
import { loadCrdValidators } from '#local/crd-file.ts';
import { userPages } from './pages.ts';

type Fields = Readonly<Record<string, unknown>>;

const validators = loadCrdValidators();
const folder = mkdtempSync(join(tmpdir(), 'flint-docs-'));
after(() => rmSync(folder, { recursive: true }));

interface Judged {
  readonly kind: 'IngressRoute' | 'part of an IngressRoute' | 'Ingress' | 'settings' | 'something else';
  readonly problems: readonly string[];
}

async function judge(value: Fields): Promise<Judged> {
  const { apiVersion, kind } = value;
  if (typeof apiVersion === 'string' && apiVersion.startsWith('flint.dev/'))
    return { kind: 'IngressRoute', problems: routeProblems(value) };
  if (apiVersion === 'networking.k8s.io/v1' && kind === 'Ingress')
    return { kind: 'Ingress', problems: ingressProblems(value) };
  if (apiVersion !== undefined) return { kind: 'something else', problems: [] };
  const spec = specAround(value);
  if (spec !== undefined)
    return { kind: 'part of an IngressRoute', problems: routeProblems(routeWith(spec)) };
  const settings = settingsIn(value);
  if (settings !== undefined) return { kind: 'settings', problems: await settingProblems(settings) };
  return { kind: 'something else', problems: [] };
}

function routeProblems(object: Fields): readonly string[] {
  const validate = validators.get(`${String(object['apiVersion'])} ${String(object['kind'])}`);
  if (validate === undefined) return ['there is no such kind'];
  const problems = validate(object as KubernetesObject);
  if (problems.length > 0) return problems.map(problemText);
  const parsed = parseIngressRoute(stored(object));
  return parsed.kind === 'Parsed' ? [] : parsed.problems.map(problemText);
}

function ingressProblems(object: Fields): readonly string[] {
  const parsed = parseIngress(stored(object));
  return (parsed.kind === 'Parsed' ? parsed.value.problems : parsed.problems).map(problemText);
}

const problemText = ({ at, message }: Problem): string => `${at}: ${message}`;

/** With what an API server adds. */
function stored(object: Fields): KubernetesObject {
  const metadata = { namespace: 'shop', creationTimestamp: '2026-01-01T00:00:00Z', generation: 1, uid: 'u' };
  return { ...object, metadata: { ...metadata, ...(object['metadata'] as Fields) } } as KubernetesObject;
}

const ofSpec = ['ingressClassName', 'hostnames', 'tls', 'rules', 'policy'];
const ofRule = [
  'name',
  'matches',
  'filters',
  'backendRefs',
  'timeouts',
  'retry',
  'sessionPersistence',
  'policy',
];

/** The spec that a part of a route stands for, if it is one. */
function specAround(value: Fields): Fields | undefined {
  const keys = Object.keys(value);
  const only = (names: readonly string[]): boolean => keys.every((key) => names.includes(key));
  if (only(['spec']) && isFields(value['spec'])) return value['spec'];
  if (only(ofSpec)) {
    const [rule] = Array.isArray(value['rules']) ? (value['rules'] as readonly unknown[]) : [];
    // Rules of a Role look alike.
    return isFields(rule) && 'apiGroups' in rule ? undefined : value;
  }
  const { timeouts } = value;
  const areOfARule = isFields(timeouts)
    ? !Object.keys(timeouts).some((key) => settingKeys.has(`timeouts.${key}`))
    : true;
  if (only(ofRule) && areOfARule) return { rules: [{ backendRefs: [{ name: 'shop', port: 80 }], ...value }] };
  return undefined;
}

function routeWith(spec: Fields): Fields {
  return {
    apiVersion: 'flint.dev/v1alpha1',
    kind: 'IngressRoute',
    metadata: { name: 'shop' },
    spec: {
      hostnames: ['shop.example.com'],
      rules: [{ backendRefs: [{ name: 'shop', port: 80 }] }],
      ...spec,
    },
  };
}

const settingKeys = new Set(settingDefinitions.map(({ key }) => key));
const settingHeads = new Set([...settingKeys].map((key) => key.split('.')[0]!));

/** A file of settings, or the value of the chart that holds the same. */
function settingsIn(value: Fields): Fields | undefined {
  if (isFields(value['settings'])) return value['settings'];
  return Object.keys(value).some((key) => settingHeads.has(key)) ? value : undefined;
}

async function settingProblems(settings: Fields): Promise<readonly string[]> {
  const file = join(folder, 'settings.yaml');
  writeFileSync(file, stringify(settings));
  try {
    await loadSettings({ settings: file, set: [] });
    return [];
  } catch (error) {
    return [String(error)];
  }
}

interface Example {
  readonly where: string;
  readonly values: readonly unknown[];
  readonly faults: readonly string[];
}

const examples: readonly Example[] = userPages.flatMap(({ path, fences }) =>
  fences
    .filter(({ language }) => language === 'yaml')
    .map(({ text, line }) => {
      const documents = parseAllDocuments(text, { prettyErrors: true, uniqueKeys: true });
      const list = Array.isArray(documents) ? documents : [];
      return {
        where: `${path}:${line}`,
        values: list.map((document) => document.toJS() as unknown),
        faults: list.flatMap(({ errors }) => errors.map(({ message }) => message)),
      };
    }),
);

test('every block of YAML parses, and what is ours in it is valid', async () => {
  const problems: string[] = [];
  const counts = new Map<Judged['kind'], number>();
  for (const { where, values, faults } of examples) {
    problems.push(...faults.map((fault) => `${where}: ${fault}`));
    if (faults.length > 0) continue;
    for (const value of values.filter(isFields)) {
      const { kind, problems: found } = await judge(value);
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      problems.push(...found.map((problem) => `${where}: ${kind}: ${problem}`));
    }
  }
  assert.deepEqual(problems, []);
  for (const [kind, least] of [
    ['IngressRoute', 5],
    ['part of an IngressRoute', 20],
    ['Ingress', 1],
    ['settings', 3],
  ] as const)
    assert.ok(
      (counts.get(kind) ?? 0) >= least,
      `${counts.get(kind) ?? 0} blocks are a ${kind}, not ${least}`,
    );
});

test('what is wrong is found, wherever it stands', async () => {
  const wrong: readonly Fields[] = [
    { apiVersion: 'flint.dev/v1', kind: 'IngressRoute' },
    routeWith({ hostnames: [] }),
    routeWith({ nonsense: 1 }),
    routeWith({ rules: [{ matches: [{ path: { type: 'RegularExpression', value: '/(' } }] }] }),
    { spec: { tls: {} } },
    { backendRefs: [{ name: 'shop' }] },
    { policy: { requestBody: { maxSize: '10 MB' } } },
    { timeouts: { request: '1s', backendRequest: '2s' } },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'a' },
      spec: { rules: [{ host: 'a b' }] },
    },
    { settings: { limits: { heads: 1 } } },
    { trustedProxies: ['everybody'] },
  ];
  for (const value of wrong)
    assert.notDeepEqual((await judge(value)).problems, [], `nobody minds ${JSON.stringify(value)}`);
});
