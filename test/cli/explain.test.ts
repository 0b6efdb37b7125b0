// `flint explain URL`: which rule takes a request, and why the others do not, line by line.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { flint } from './recording-terminal.ts';
import type { Outcome } from './recording-terminal.ts';

const manifests = readFileSync(new URL('shop.yaml', import.meta.url), 'utf8');

function explain(...args: readonly string[]): Promise<Outcome> {
  return flint(['explain', ...args, '-f', '@/m.yaml'], { 'm.yaml': manifests });
}

const cases: readonly (readonly [what: string, args: readonly string[], code: number, stdout: string])[] = [
  [
    'the rule that takes it, those that come later, and those that do not fit',
    ['http://shop.test/api/v1?v=1', '-X', 'POST', '-H', 'x-env:  prod '],
    0,
    `POST http://shop.test/api/v1?v=1
host "shop.test"
  => default/shop api: Exact /api/v1, query v ~ 1|2
     default/shop api: PathPrefix /api, method POST, header x-env = prod - fits too, but comes later in the order of precedence
     default/shop off: PathPrefix /off - the path does not fit
     default/shop rules[1]: PathPrefix / - fits too, but comes later in the order of precedence
     default/shop api: RegularExpression /api/v[0-9] - fits too, but comes later in the order of precedence
66.7% -> default/api:80: 10.0.0.1:8080, 10.0.0.2:8080 (terminating)
33.3% -> default/web:80: [fd00::1]:8080
`,
  ],
  [
    'the first condition that is not met',
    ['shop.test/api/v1?v=3', '-H', 'X-Env: prod', '-H', 'X-Env: test'],
    0,
    `GET shop.test/api/v1?v=3
host "shop.test"
     default/shop api: Exact /api/v1, query v ~ 1|2 - the query parameter v does not fit
     default/shop api: PathPrefix /api, method POST, header x-env = prod - the method is not POST
     default/shop off: PathPrefix /off - the path does not fit
  => default/shop rules[1]: PathPrefix /
     default/shop api: RegularExpression /api/v[0-9] - fits too, but comes later in the order of precedence
100% -> default/web:80: [fd00::1]:8080
`,
  ],
  [
    'a header given twice counts as one combined value',
    ['shop.test/api', '-X', 'POST', '-H', 'X-Env: prod', '-H', 'X-Env: test'],
    0,
    `POST shop.test/api
host "shop.test"
     default/shop api: Exact /api/v1, query v ~ 1|2 - the path does not fit
     default/shop api: PathPrefix /api, method POST, header x-env = prod - the header x-env does not fit
     default/shop off: PathPrefix /off - the path does not fit
  => default/shop rules[1]: PathPrefix /
     default/shop api: RegularExpression /api/v[0-9] - the path does not fit
100% -> default/web:80: [fd00::1]:8080
`,
  ],
  [
    'all weights 0',
    ['https://shop.test/off/x'],
    0,
    `GET https://shop.test/off/x
host "shop.test"
     default/shop api: Exact /api/v1, query v ~ 1|2 - the path does not fit
     default/shop api: PathPrefix /api, method POST, header x-env = prod - the path does not fit
  => default/shop off: PathPrefix /off
     default/shop rules[1]: PathPrefix / - fits too, but comes later in the order of precedence
     default/shop api: RegularExpression /api/v[0-9] - the path does not fit
500: all backends of the rule have weight 0
`,
  ],
  [
    'the normal form of the path, the host whatever its case and port',
    ['http://SHOP.test:8080/%61pi/../x%2fy?a#f'],
    0,
    `GET http://SHOP.test:8080/%61pi/../x%2fy?a#f
host "shop.test"
path /%61pi/../x%2fy is routed and forwarded as /x%2Fy
     default/shop api: Exact /api/v1, query v ~ 1|2 - the path does not fit
     default/shop api: PathPrefix /api, method POST, header x-env = prod - the path does not fit
     default/shop off: PathPrefix /off - the path does not fit
  => default/shop rules[1]: PathPrefix /
     default/shop api: RegularExpression /api/v[0-9] - the path does not fit
100% -> default/web:80: [fd00::1]:8080
`,
  ],
  [
    'a path that the policy of the host refuses',
    ['http://shop.test/a//b'],
    1,
    `GET http://shop.test/a//b
host "shop.test"
400: the path /a//b is refused: it holds // (policy.path of this host decides)
`,
  ],
  [
    'a wildcard, and a Service without endpoints',
    ['http://a.b.test/w/x'],
    0,
    `GET http://a.b.test/w/x
host "*.test"
  => default/wild rules[0]: PathPrefix /w
100% -> default/empty:80: 503: it has no endpoints
`,
  ],
  [
    'a host without a rule for the path',
    ['http://a.b.test'],
    1,
    `GET http://a.b.test
host "*.test"
     default/wild rules[0]: PathPrefix /w - the path does not fit
404: no rule of this host takes the request
`,
  ],
  [
    'a host that nobody serves',
    ['http://other/x'],
    1,
    `GET http://other/x
404: no host fits "other". Hosts that are served: *.test, shop.test
`,
  ],
];

for (const [what, args, code, stdout] of cases)
  test(what, async () => {
    assert.deepEqual(await explain(...args), { code, stdout, stderr: '' });
  });

test('--route needs no file', async () => {
  const outcome = await flint(['explain', 'http://[::1]:80/', '--route', '*/=127.0.0.1:1']);
  assert.equal(
    outcome.stdout,
    `GET http://[::1]:80/
host "*"
  => command-line/route-1 rules[0]: PathPrefix /
100% -> command-line/route-1:80: 127.0.0.1:1
`,
  );
});

test('what is wrong with the manifests goes to standard error, and the rest is explained', async () => {
  const wrong = manifests
    .replace('hostnames: ["*.test"]', 'hostnames: ["*.Test"]')
    .replace('name: web, port: 80}]\n', 'name: gone, port: 80}]\n');
  const outcome = await flint(['explain', 'shop.test/', '-f', '@/m.yaml'], { 'm.yaml': wrong });
  assert.equal(outcome.code, 0);
  assert.match(outcome.stdout, /\n {2}=> default\/shop rules\[1\]: PathPrefix \/\n/);
  assert.match(
    outcome.stderr,
    /^@\/m\.yaml:27:15: IngressRoute default\/wild is refused: spec\.hostnames\[0\] /m,
  );
  assert.match(
    outcome.stderr,
    /^IngressRoute default\/shop: BackendNotFound at spec\.rules\[0\]\.backendRefs\[1\]\.name: namespace default has no Service gone$/m,
  );
});

test('mistakes of the command line', async () => {
  const route = ['--route', '*/=127.0.0.1:1'];
  const mistakes: readonly (readonly [readonly string[], string])[] = [
    [
      ['http://a.test'],
      'flint: nothing to serve: give -f FILE_OR_FOLDER, or --route HOST/PREFIX=ADDR:PORT\n',
    ],
    [[':::', ...route], 'flint: ":::" is no URL such as http://shop.example.com/path\n'],
    [['', ...route], 'flint: "" is no URL such as http://shop.example.com/path\n'],
    [['a.test', '-H', 'x', ...route], 'flint: -H "x" is no field such as \'Name: value\'\n'],
    [['a.test', '-H', ': x', ...route], 'flint: -H ": x" is no field such as \'Name: value\'\n'],
    [
      ['a.test', '--route', 'a.test'],
      'flint: --route a.test: there is no "=" between the match and the endpoints\n',
    ],
  ];
  for (const [args, stderr] of mistakes)
    assert.deepEqual(await flint(['explain', ...args]), { code: 2, stdout: '', stderr });
});

test('plain HTTP of a host with TLS is said to be sent on, or refused', async () => {
  const routeWith = (tls: string): string => `apiVersion: flint.dev/v1alpha1
kind: IngressRoute
metadata: {name: web}
spec:
  hostnames: [shop.test]
  tls: ${tls}
  rules: [{backendRefs: [{name: web, port: 80}]}]
`;
  const said = async (tls: string, url: string): Promise<string> => {
    const { stdout } = await flint(['explain', url, '-f', '@/m.yaml'], { 'm.yaml': routeWith(tls) });
    return stdout.split('\n').find((line) => /^[0-9]{3}/.test(line)) ?? '';
  };
  const refs = 'certificateRefs: [{name: shop-tls}]';
  assert.match(await said(`{${refs}}`, 'http://shop.test/a'), /^308: sent on to https/);
  assert.match(
    await said(`{${refs}, plaintext: Reject}`, 'http://shop.test/a'),
    /^403: plain HTTP is refused/,
  );
  for (const [tls, url] of [
    [`{${refs}}`, 'https://shop.test/a'],
    [`{${refs}, plaintext: Serve}`, 'http://shop.test/a'],
    [`{${refs}}`, 'http://shop.test/.well-known/acme-challenge/token'],
  ] as const)
    assert.doesNotMatch(await said(tls, url), /^(308|403)/, url);
});
