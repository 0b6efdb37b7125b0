// What the chart tells the programs is what they understand: the arguments of every render, and its settings file.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { createProgram } from '#cli/program.ts';
import { loadSettings } from '#cli/settings.ts';
import { render, whyNoHelm } from './helm.ts';
import { parseRenderCase } from './render-case.ts';

const folder = new URL('renders/', import.meta.url);

interface Workload extends KubernetesObject {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly containers: readonly [{ readonly args: readonly string[] }];
      };
    };
  };
}

function isWorkload(object: KubernetesObject): object is Workload {
  return ['DaemonSet', 'Deployment'].includes(object.kind);
}

describe('arguments of the chart', { skip: whyNoHelm }, () => {
  let temporary: string;
  before(() => {
    temporary = mkdtempSync(join(tmpdir(), 'flint-arguments-'));
  });
  after(() => rmSync(temporary, { recursive: true, force: true }));

  for (const name of readdirSync(folder).filter((each) => !each.startsWith('refused-')))
    test(name.replace('.yaml', ''), async () => {
      const { text, args } = parseRenderCase(readFileSync(new URL(name, folder), 'utf8'));
      const result = render(text, args);
      assert.equal(result.kind, 'Rendered');
      const settings = result.objects.find(({ metadata }) => metadata.name.endsWith('-settings'));
      const file = join(temporary, 'settings.yaml');
      writeFileSync(
        file,
        (settings?.['data'] as Readonly<Record<string, string>>)?.['settings.yaml'] ?? '{}',
      );
      const workloads = result.objects.filter(isWorkload);
      assert.equal(workloads.length, 2);
      for (const workload of workloads) await isUnderstood(workload, file);
    });

  async function isUnderstood(workload: Workload, file: string): Promise<void> {
    const pod = workload.spec.template.spec;
    // As the kubelet puts them in.
    const args = pod.containers[0].args.map((arg) => arg.replace('$(FLINT_CPUS)', '4'));
    const options = optionsOf(args);
    const read = options['settings'] as string | undefined;
    assert.ok(read === undefined || read === '/etc/flint/settings.yaml');
    const set = options['set'] as readonly string[];
    await loadSettings({ set, ...(read === undefined ? {} : { settings: file }) });
    if (args[0] === 'proxy')
      assert.ok(
        Number(options['drainDelay']) + Number(options['grace']) < pod.terminationGracePeriodSeconds * 1000,
      );
    // The operator refuses one without the other.
    else assert.equal(options['clusterScopedReads'] === 'off', options['ingressClass'] !== undefined);
  }
});

/** Throws for a flag or a value that the command does not know. */
function optionsOf([name, ...args]: readonly string[]): Readonly<Record<string, unknown>> {
  const silent = { stdout: () => {}, stderr: () => {}, exit: () => {} };
  const command = createProgram(silent, () => {}).commands.find((each) => each.name() === name);
  assert.ok(command !== undefined);
  const { operands, unknown } = command.parseOptions(args);
  assert.deepEqual([...operands, ...unknown], []);
  return command.opts();
}
