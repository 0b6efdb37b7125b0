// What the images are started with is said in three places, and what is in them comes from the lock file.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { entrypoint, imageConfig, imagePlan, imagePlans } from '../../hack/image/images.ts';
import { lockedLibraries, spdx, thirdPartyNotices } from '../../hack/image/inventory.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');

/** The instructions of one stage, by name; those that may come again are lists. */
function stage(name: string): Readonly<Record<string, readonly string[]>> {
  const text =
    new RegExp(`^FROM scratch AS ${name}\n([^]*?)(?=^FROM |$(?![^]))`, 'm').exec(dockerfile)?.[1] ?? '';
  const lines = text.split('\n').map((line) => /^([A-Z]+) (.*)$/.exec(line));
  return Object.groupBy(
    lines.flatMap((match) => (match === null ? [] : [match[2]!])),
    (argument) => lines.find((match) => match?.[2] === argument)![1]!,
  ) as Readonly<Record<string, readonly string[]>>;
}

describe('the Dockerfile builds what make image builds', () => {
  for (const plan of imagePlans)
    test(plan.name, () => {
      const said = stage(plan.name.replace('flint-', ''));
      const config = imageConfig(plan);
      assert.deepEqual(JSON.parse(said['ENTRYPOINT']?.[0] ?? ''), config.Entrypoint);
      assert.deepEqual(JSON.parse(said['CMD']?.[0] ?? ''), config.Cmd);
      assert.deepEqual(said['USER'], [config.User]);
      assert.deepEqual(said['ENV'] ?? [], config.Env);
      assert.deepEqual(said['EXPOSE'], [Object.keys(config.ExposedPorts ?? {}).join(' ')]);
      assert.equal(said['COPY']?.length, 2, 'two layers');
      assert.match(dockerfile, new RegExp(`root-files\\.ts ${plan.name} /image`));
    });
});

test('the operator is started as from a checkout', () => {
  const script = readFileSync(join(root, 'hack/flint'), 'utf8');
  const flags = /operator\) +runtime=node flags='([^']*)'/.exec(script)?.[1]?.split(' ');
  assert.deepEqual(flags, imagePlan('flint-operator').flags);
  assert.match(script, /MALLOC_ARENA_MAX:-1/);
});

describe('a bundle', () => {
  for (const plan of imagePlans)
    test(`${plan.name}: says its version, finds the CRD and the expressions, and holds what it should`, (context) => {
      const folder = mkdtempSync(join(tmpdir(), 'flint-bundle-'));
      context.after(() => rmSync(folder, { recursive: true }));
      const bundle = join(folder, 'lib/flint');
      const runtime = join(root, 'hack/runtime');
      execFileSync(runtime, ['bun', join(root, 'hack/image/bundle.ts'), plan.command, plan.runtime, bundle]);
      const flint = (...args: string[]): string =>
        execFileSync(runtime, [plan.runtime, ...plan.flags, join(bundle, 'main.js'), ...args], {
          encoding: 'utf8',
        });
      const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
      assert.equal(flint('--version'), `${version}\n`);
      assert.match(flint('check', '-f', join(root, 'config/samples')), /: no problem$/m);
      const explained = flint(
        'explain',
        'http://shop.example.com/',
        '-f',
        join(root, 'test/image/expression.yaml'),
      );
      assert.match(explained, /RegularExpression/);

      const text = readdirSync(bundle, { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.c?js$/.test(name))
        .map((name) => readFileSync(join(bundle, name), 'utf8'))
        .join('\n');
      assert.equal(/class CoreV1Api/.test(text) || /KubeConfig/.test(text), plan.command === 'operator');
      assert.equal(entrypoint(plan).at(-1), '/opt/flint/lib/flint/main.js');
    });
});

describe('what others have written', () => {
  const allowed = new Set([
    'MIT',
    'ISC',
    'Apache-2.0',
    'BSD-2-Clause',
    'BSD-3-Clause',
    'PSF-2.0',
    'Unlicense',
    '0BSD',
  ]);
  test('is under licences that let it be shipped', () => {
    const libraries = lockedLibraries();
    assert.ok(libraries.length > 50, `${libraries.length} libraries`);
    assert.deepEqual(
      libraries.filter(({ licence }) => !allowed.has(licence)),
      [],
    );
  });

  test('is in the notices with its words, and in the bill of materials', () => {
    const plan = imagePlan('flint-proxy');
    const notices = thirdPartyNotices(plan);
    const bill = JSON.parse(spdx(plan, [{ name: 'libc6', version: '2.36-9' }], 0)) as {
      readonly packages: readonly {
        readonly name: string;
        readonly externalRefs?: readonly { referenceLocator: string }[];
      }[];
      readonly relationships: readonly unknown[];
    };
    for (const { name, version } of lockedLibraries()) {
      assert.ok(notices.includes(`\n${name} ${version}: `), name);
      assert.ok(
        bill.packages.some((each) => each.name === name),
        name,
      );
    }
    assert.match(notices, /Permission is hereby granted, free of charge/);
    assert.ok(bill.packages.some((each) => each.name.startsWith('@oven/bun-')));
    assert.equal(
      bill.packages.at(-1)?.externalRefs?.[0]?.referenceLocator,
      'pkg:deb/debian/libc6@2.36-9?distro=debian-12',
    );
    assert.equal(bill.relationships.length, bill.packages.length);
  });
});
