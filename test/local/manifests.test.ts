// YAML and JSON to objects, with the place of every field; and everything that a file may be instead.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseManifests, positionText } from '#local/manifests.ts';

function placeOf(text: string, place: string): string {
  const [manifest] = parseManifests(text, 'f.yaml').manifests;
  assert.ok(manifest !== undefined);
  return positionText(manifest.locate(place));
}

function faultsOf(text: string): readonly string[] {
  return parseManifests(text, 'f.yaml').faults.map(
    ({ position, message }) => `${positionText(position)}: ${message}`,
  );
}

function namesOf(text: string): readonly string[] {
  return parseManifests(text, 'f.yaml').manifests.map(
    ({ object }) => `${object.kind} ${object.metadata.name}`,
  );
}

const block = `# a comment
apiVersion: flint.dev/v1alpha1
kind: IngressRoute
metadata:
  name: web
spec:
  hostnames:
    - a.test
    - B.test
  rules:
    - name: first
      matches:
        - path: {type: Exact, value: /a}
          headers: [{name: x, value: y}, {name: z, value: w}]
      backendRefs:
        - name: web
          port: 80
`;

const places: readonly (readonly [place: string, expected: string])[] = [
  ['spec', '6:1'],
  ['spec.hostnames', '7:3'],
  ['spec.hostnames[0]', '8:7'],
  ['spec.hostnames[1]', '9:7'],
  ['spec.rules[0]', '11:7'],
  ['spec.rules[0].name', '11:7'],
  ['spec.rules[0].matches[0].path', '13:11'],
  ['spec.rules[0].matches[0].path.value', '13:31'],
  ['spec.rules[0].matches[0].headers[1].value', '14:52'],
  ['spec.rules[0].backendRefs[0].port', '17:11'],
  // The nearest part around what is not there.
  ['spec.rules[0].timeouts.request', '11:7'],
  ['spec.rules[0].backendRefs[0].weight', '16:11'],
  ['spec.rules[7].name', '10:3'],
  ['spec.policy.path', '6:1'],
  ['spec.hostnames[0].deeper', '8:7'],
  ['status', '2:1'],
  ['', '2:1'],
];

for (const [place, expected] of places)
  test(`${place || 'the object'} stands at ${expected}`, () =>
    assert.equal(placeOf(block, place), `f.yaml:${expected}`));

test('places count lines of the whole file, whatever ends them', () => {
  const text = block.replaceAll('\n', '\r\n');
  assert.equal(placeOf(text, 'spec.rules[0].name'), 'f.yaml:11:7');
  const second = parseManifests(`${block}---\n${block}`, 'f.yaml').manifests[1];
  assert.equal(positionText(second!.locate('spec.hostnames[1]')), 'f.yaml:27:7');
});

test('JSON is YAML', () => {
  const text =
    '{"apiVersion": "v1",\n "kind": "Service",\n "metadata": {"name": "s"},\n "spec": {"ports": []}}';
  assert.deepEqual(namesOf(text), ['Service s']);
  assert.equal(placeOf(text, 'spec.ports'), 'f.yaml:4:11');
});

const service = (name: string): string => `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\n`;

test('several documents, with comments between them', () => {
  assert.deepEqual(namesOf(`# one\n${service('a')}---\n# two\n${service('b')}...\n`), [
    'Service a',
    'Service b',
  ]);
});

for (const empty of ['', '\n', '# nothing\n', '---\n', '---\n---\n', '---\n# nothing\n', '---\nnull\n'])
  test(`a document without content is nothing, and no fault: ${JSON.stringify(empty)}`, () => {
    assert.deepEqual(namesOf(empty), []);
    assert.deepEqual(faultsOf(empty), []);
    assert.deepEqual(faultsOf(`${service('a')}${empty}`), []);
  });

test('a List stands for its items, and they keep their places', () => {
  const text = `apiVersion: v1
kind: List
metadata: {resourceVersion: ""}
items:
- apiVersion: v1
  kind: Service
  metadata: {name: a}
- apiVersion: v1
  kind: ServiceList
  items:
  - apiVersion: v1
    kind: Service
    metadata: {name: b}
    spec:
      type: 3
- kind: Service
`;
  const { manifests } = parseManifests(text, 'f.yaml');
  assert.deepEqual(namesOf(text), ['Service a', 'Service b']);
  assert.equal(positionText(manifests[1]!.locate('spec.type')), 'f.yaml:15:7');
  assert.deepEqual(faultsOf(text), ['f.yaml:16:3: apiVersion is missing']);
});

test('a List without items stands for nothing', () => {
  for (const items of ['', 'items: []\n', 'items: null\n'])
    assert.deepEqual(namesOf(`apiVersion: v1\nkind: List\n${items}`), []);
});

test('what is no object is told with its place, and the objects beside it stay', () => {
  const text = `${service('a')}---\n- 1\n---\nx\n---\nkind: Service\n---\napiVersion: v1\n---\n${service('b')}`;
  assert.deepEqual(namesOf(text), ['Service a', 'Service b']);
  assert.deepEqual(faultsOf(text), [
    'f.yaml:5:1: is no Kubernetes object',
    'f.yaml:7:1: is no Kubernetes object',
    'f.yaml:9:1: apiVersion is missing',
    'f.yaml:11:1: kind is missing',
  ]);
});

test('an object has a name', () => {
  for (const metadata of [
    '',
    'metadata:\n',
    'metadata: {}\n',
    'metadata: {name: ""}\n',
    'metadata: {name: 3}\n',
  ])
    assert.deepEqual(faultsOf(`apiVersion: v1\nkind: Service\n${metadata}`), [
      'f.yaml:1:1: metadata.name is missing',
    ]);
});

test('anchors and aliases are resolved', () => {
  const text = `${service('a')}spec:\n  one: &x {port: 80}\n  two: *x\n`;
  const [manifest] = parseManifests(text, 'f.yaml').manifests;
  assert.deepEqual(manifest?.object['spec'], { one: { port: 80 }, two: { port: 80 } });
  assert.equal(placeOf(text, 'spec.two.port'), 'f.yaml:6:3');
});

test('keys that every object has are ordinary keys', () => {
  const text = `${service('a')}spec: {__proto__: {polluted: 1}, constructor: 2, toString: 3}\n`;
  const [manifest] = parseManifests(text, 'f.yaml').manifests;
  assert.deepEqual(Object.keys(manifest?.object['spec'] as object).toSorted(), [
    '__proto__',
    'constructor',
    'toString',
  ]);
  assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
  assert.equal(placeOf(text, 'spec.constructor'), 'f.yaml:4:34');
});

test('YAML is read as kubectl reads it: yes and off are booleans, times and clock readings are strings', () => {
  const [manifest] = parseManifests(
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: yes, b: off, c: 1:30, d: 2001-01-01, e: "yes", f: 0o17}\n',
    'f.yaml',
  ).manifests;
  assert.deepEqual(manifest?.object['data'], {
    a: true,
    b: false,
    c: '1:30',
    d: '2001-01-01',
    e: 'yes',
    f: '0o17',
  });
});
