// docs/security-model.md lists the rights that config/ grants, all of them and no others.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { isFields } from '#api/field-reader.ts';
import { root, userPages } from './pages.ts';

interface Role {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules: readonly {
    readonly resources: readonly string[];
    readonly resourceNames?: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

/** Each line is one right: `operator flint-routes configmaps flint-head update`. */
function granted(): readonly string[] {
  return ['config/rbac', 'config/cert-manager'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .flatMap((file) => parseAllDocuments(readFileSync(join(root, folder, file), 'utf8')))
      .map((document) => document.toJS() as unknown)
      .filter((value): value is Role => isFields(value) && /^(Cluster)?Role$/.test(String(value['kind'])))
      .flatMap(({ metadata: { name, namespace = 'everywhere' }, rules }) =>
        rules.flatMap(({ resources, resourceNames = [''], verbs }) =>
          resources.flatMap((resource) =>
            resourceNames.flatMap((only) =>
              verbs.map((verb) =>
                [/operator|proxy/.exec(name)?.[0], namespace, resource, only, verb]
                  .join(' ')
                  .replace('  ', ' '),
              ),
            ),
          ),
        ),
      ),
  );
}

function told(): readonly string[] {
  const page = userPages.find(({ path }) => path === 'docs/security-model.md');
  assert.ok(page !== undefined);
  let part = '';
  return page.prose.flatMap((line) => {
    if (line.startsWith('## '))
      part = { '## The operator': 'operator', '## The data plane': 'proxy' }[line] ?? '';
    const [, resources = '', verbs = '', where = ''] = line.split('|').map((cell) => cell.trim());
    if (part === '' || !resources.startsWith('`')) return [];
    const named = /^`([a-z]+)` `([a-z-]+)`$/.exec(resources);
    const words = named === null ? resources.replaceAll('`', '').split(', ') : [`${named[1]} ${named[2]}`];
    return words.flatMap((word) => verbs.split(', ').map((verb) => `${part} ${where} ${word} ${verb}`));
  });
}

test('the page tells the rights that are granted', () => {
  assert.ok(granted().length > 30);
  assert.deepEqual([...told()].sort(), [...granted()].sort());
});
