// Runs every case of test/install/renders; UPDATE_GOLDEN=1 rewrites what they expect. And what holds for the chart as a whole.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { createProgram } from '#cli/program.ts';
import { settingDefinitions } from '#cli/settings.ts';
import { chartValues } from '../../hack/generate-chart.ts';
import { chartFolder, helm, idOf, render, rendered, whyNoHelm } from './helm.ts';
import { outcomeOf, parseRenderCase, pathsOf } from './render-case.ts';

const folder = new URL('renders/', import.meta.url);
const isUpdate = process.env['UPDATE_GOLDEN'] === '1';
const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
const cases = names.map((name) => ({
  name,
  file: new URL(name, folder),
  ...parseRenderCase(readFileSync(new URL(name, folder), 'utf8')),
}));

describe('renders of the chart', { skip: whyNoHelm }, () => {
  const defaults = whyNoHelm === false ? rendered() : [];

  for (const { name, file, text, args, expected, rewritten } of cases)
    test(name.replace('.yaml', ''), () => {
      const outcome = outcomeOf(render(text, args), name === 'default.yaml' ? [] : defaults);
      if (isUpdate) writeFileSync(file, rewritten(outcome));
      else assert.deepEqual(outcome, expected);
    });

  test('helm lint --strict has nothing to say', () => {
    const { isDone, output, errors } = helm(['lint', '--strict', chartFolder]);
    assert.ok(isDone, output + errors);
  });

  test('nothing in a template asks the cluster, the clock or chance, and there are no hooks', () => {
    for (const name of readdirSync(join(chartFolder, 'templates'))) {
      const text = readFileSync(join(chartFolder, 'templates', name), 'utf8');
      assert.doesNotMatch(
        text,
        /\b(?:lookup|now|date|uuidv4|gen[A-Z]\w+|rand[A-Z]\w+)\b|helm\.sh\/hook/,
        name,
      );
    }
    const twice = [render(''), render('')];
    assert.deepEqual(twice[0], twice[1]);
  });

  test('labels are those that Kubernetes recommends, but for the one that Argo CD takes for itself', () => {
    const recommended = ['name', 'version', 'managed-by'].map((name) => `app.kubernetes.io/${name}`);
    for (const object of rendered('ownershipPolicy: {enabled: true}')) {
      const names = Object.keys(object.metadata.labels ?? {});
      for (const name of [...recommended, 'helm.sh/chart']) assert.ok(names.includes(name), idOf(object));
      assert.ok(!names.includes('app.kubernetes.io/instance'), idOf(object));
    }
  });
});

test('the version of the chart is that of the program', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    readonly version: string;
  };
  const chart = parse(readFileSync(join(chartFolder, 'Chart.yaml'), 'utf8')) as Readonly<
    Record<string, string>
  >;
  assert.equal(chart['appVersion'], version);
});

test('every value of the chart is in a case', () => {
  const used = new Set(
    cases
      .filter(
        ({ expected = [] }) =>
          !expected.some((each) => typeof each === 'object' && each !== null && 'refused' in each),
      )
      .flatMap(({ values }) => [...pathsOf(values)]),
  );
  const unused = chartValues()
    .values.map(({ path }) => path)
    .filter((path) => ![...used].some((each) => each === path || each.startsWith(`${path}.`)));
  assert.deepEqual(unused, []);
});

test('every flag of operator and proxy comes from a value, or has a reason not to', () => {
  const reasons: Readonly<Record<string, string>> = {
    '--kubeconfig': 'pods have a service account',
    '--service-account': 'the kubelet mounts it where it is looked for',
    '--proxy-selector': 'the labels of the chart are the default',
    '--node-name': 'FLINT_NODE_NAME',
    '--pod-name': 'FLINT_POD_NAME',
    '--set': 'settings',
    '--load-balancing': 'settings.loadBalancing',
    '--trusted-proxy': 'settings.trustedProxies',
  };
  const silent = { stdout: () => {}, stderr: () => {}, exit: () => {} };
  const commands = createProgram(silent, () => {}).commands.filter((command) =>
    ['operator', 'proxy'].includes(command.name()),
  );
  const flags = new Set(commands.flatMap(({ options }) => options.map(({ long }) => long ?? '')));
  const texts = cases.map(({ expected = [] }) => JSON.stringify(expected));
  const unset = [...flags].filter(
    (flag) => !(flag in reasons) && !texts.some((text) => text.includes(`"${flag}=`)),
  );
  assert.deepEqual(unset, []);
});

test('a change of settings restarts whoever reads them', () => {
  const template = readFileSync(join(chartFolder, 'templates/_pods.tpl'), 'utf8');
  const picked = [...(/pick \$settings ((?:"\w+" ?)+)/.exec(template)?.[1] ?? '').matchAll(/\w+/g)];
  const readByProxies = settingDefinitions
    .filter(({ readBy }) => readBy === 'data plane')
    .map(({ key }) => key.split('.')[0] ?? '');
  assert.deepEqual(new Set(picked.map(([name]) => name)), new Set(readByProxies));
  for (const { key, readBy } of settingDefinitions)
    assert.equal(readByProxies.includes(key.split('.')[0] ?? ''), readBy === 'data plane', key);
});
