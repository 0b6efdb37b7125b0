// The health script for Argo CD over its test data, as Argo CD's own test reads them, and what kstatus makes of the same objects.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { JudgeProgram, customization, judgeBinary } from './judge-program.ts';
import type { Judgement } from './judge-program.ts';

interface HealthTests {
  readonly tests: readonly { readonly healthStatus: Judgement; readonly inputPath: string }[];
}

const binary = judgeBinary();
const skip = 'missing' in binary ? binary.missing : false;
const { tests } = parse(readFileSync(join(customization, 'health_test.yaml'), 'utf8')) as HealthTests;

/** What kstatus says where Argo CD says this. */
const statusOfHealth: Readonly<Record<string, string>> = {
  Healthy: 'Current',
  Progressing: 'InProgress',
  Degraded: 'Failed',
};

describe('health of IngressRoutes', { skip }, () => {
  let health: JudgeProgram<Judgement>;
  let status: JudgeProgram<Judgement>;

  before(() => {
    if ('missing' in binary) return;
    health = JudgeProgram.health(binary.file);
    status = JudgeProgram.status(binary.file);
  });
  after(() => {
    health.stop();
    status.stop();
  });

  test('every file of the test data has its case', () => {
    const files = readdirSync(join(customization, 'testdata')).map((file) => `testdata/${file}`);
    assert.deepEqual(tests.map(({ inputPath }) => inputPath).sort(), files.sort());
  });

  for (const { inputPath, healthStatus } of tests)
    test(inputPath, async () => {
      const object = parse(readFileSync(join(customization, inputPath), 'utf8')) as unknown;
      assert.deepEqual(await health.ask(object), healthStatus);
      const { metadata } = object as { readonly metadata: { readonly deletionTimestamp?: string } };
      const wanted =
        metadata.deletionTimestamp === undefined ? statusOfHealth[healthStatus.status] : 'Terminating';
      assert.equal((await status.ask(object)).status, wanted);
    });

  test('an object that has no status whatsoever is waited for', async () => {
    const object = {
      apiVersion: 'flint.dev/v1alpha1',
      kind: 'IngressRoute',
      metadata: { name: 'shop', generation: 1 },
    };
    assert.equal((await health.ask(object)).status, 'Progressing');
  });
});
