// `flint check`: one line a mistake with the place to mend, a summary, and an exit code that a script can use.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flint } from './recording-terminal.ts';

const sound = `apiVersion: flint.dev/v1alpha1
kind: IngressRoute
metadata: {name: shop}
spec:
  hostnames: [shop.test]
  rules: [{backendRefs: [{name: web, port: 80}]}]
`;

const service = '{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}\n';

const threeMistakes = `# The shop.
apiVersion: flint.dev/v1alpha1
kind: IngressRoute
metadata:
  name: shop
  namespace: team
spec:
  hostnames:
    - Shop.test
  rules:
    - matches:
        - path:
            type: Prefix
            value: /api
      backendRefs:
        - name: web
          prot: 80
          port: 80
`;

test('every mistake has its line, and the exit code says that there are some', async () => {
  const outcome = await flint(['check', '-f', '@/shop.yaml'], { 'shop.yaml': threeMistakes });
  assert.equal(
    outcome.stdout,
    `@/shop.yaml:9:7: IngressRoute team/shop: spec.hostnames[0] "Shop.test" must match ^(\\*|(\\*\\.)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*)$
@/shop.yaml:13:13: IngressRoute team/shop: spec.rules[0].matches[0].path.type "Prefix" is none of Exact, PathPrefix, RegularExpression
@/shop.yaml:17:11: IngressRoute team/shop: spec.rules[0].backendRefs[0].prot is an unknown field
1 checked: 3 problems
`,
  );
  assert.equal(outcome.stderr, '');
  assert.equal(outcome.code, 1);
});

test('rules between fields have a place too', async () => {
  const text = sound
    .replace('rules: [{', 'rules: [{name: a, timeouts: {request: 1s, backendRequest: 2s}, ')
    .replace(/\n$/, ', {name: a, backendRefs: [{name: web, port: 80}]}]\n')
    .replace('}]}], {', '}]}, {');
  const outcome = await flint(['check', '-f', '@/shop.yaml'], { 'shop.yaml': text });
  assert.equal(
    outcome.stdout,
    `@/shop.yaml:6:3: IngressRoute shop: spec.rules two rules have the same name
@/shop.yaml:6:45: IngressRoute shop: spec.rules[0].timeouts.backendRequest backendRequest is longer than request
1 checked: 2 problems
`,
  );
  assert.equal(outcome.code, 1);
});

test('sound manifests are counted, others are counted apart', async () => {
  const files = { 'a.yaml': sound, 'b.yml': `${service}---\n${sound}`, 'c.txt': 'nothing' };
  assert.deepEqual(await flint(['check', '-f', '@'], files), {
    code: 0,
    stdout: '2 checked, 1 of other kinds not looked at: no problem\n',
    stderr: '',
  });
  assert.deepEqual(await flint(['check', '-f', '@/a.yaml', '@/b.yml', '-f', '@/a.yaml'], files), {
    code: 0,
    stdout: '3 checked, 1 of other kinds not looked at: no problem\n',
    stderr: '',
  });
});

test('one problem is one problem', async () => {
  const outcome = await flint(['check', '-f', '@/a.yaml'], { 'a.yaml': sound.replace('80', '0') });
  assert.equal(
    outcome.stdout,
    `@/a.yaml:6:38: IngressRoute shop: spec.rules[0].backendRefs[0].port must be >= 1
1 checked: 1 problem
`,
  );
  assert.equal(outcome.code, 1);
});

test('text that is no manifest is a problem with its place, and the rest is checked', async () => {
  const files = { 'a.yaml': 'kind: IngressRoute\n', 'b.yaml': 'a: b: c\n', 'c.yaml': sound };
  const { stdout, code } = await flint(['check', '-f', '@'], files);
  assert.match(
    stdout,
    /^@\/a\.yaml:1:1: apiVersion is missing\n@\/b\.yaml:1:4: [^\n]+\n1 checked: 2 problems\n$/,
  );
  assert.equal(code, 1);
});

test('an alias without its anchor is a problem with its place as well', async () => {
  const { stdout, code } = await flint(['check', '-f', '@'], { 'a.yaml': 'a: *b\n', 'c.yaml': sound });
  assert.match(stdout, /^@\/a\.yaml:1:4: [^\n]+\n1 checked: 1 problems?\n$/);
  assert.equal(code, 1);
});

test('a file that is not there is a mistake of the command line', async () => {
  const missing = await flint(['check', '-f', '@/nowhere.yaml']);
  assert.deepEqual([missing.code, missing.stdout], [2, '']);
  assert.match(missing.stderr, /^flint: .*@\/nowhere\.yaml/);
});
