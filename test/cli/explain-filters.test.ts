// `flint explain URL` where a rule has filters or a policy: what becomes of the request besides its way to a backend.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flint } from './recording-terminal.ts';

const manifests = `apiVersion: flint.dev/v1alpha1
kind: IngressRoute
metadata: {name: shop}
spec:
  hostnames: [shop.test]
  policy:
    path: {encodedSlash: Keep}
    clientIP: {deny: [192.0.2.0/24]}
    requestBody: {maxSize: 10Mi}
  rules:
    - name: moved
      matches: [{path: {value: /old}}]
      filters:
        - type: RequestRedirect
          requestRedirect: {scheme: https, path: {type: ReplacePrefixMatch, replacePrefixMatch: /new/}, statusCode: 308}
      policy: {clientIP: {}, requestBody: {maxSize: "0"}}
    - name: elsewhere
      matches: [{path: {value: /elsewhere}}]
      filters: [{type: RequestRedirect, requestRedirect: {hostname: www.test}}]
    - name: gone
      matches: [{path: {value: /gone}}]
      filters:
        - {type: DirectResponse, directResponse: {statusCode: 410, body: gone}}
        - {type: ResponseHeaderModifier, responseHeaderModifier: {remove: [Server]}}
    - name: api
      matches: [{path: {value: /api/}}]
      filters:
        - {type: ResponseHeaderModifier, responseHeaderModifier: {remove: [Server]}}
        - {type: URLRewrite, urlRewrite: {hostname: api.internal, path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}
        - {type: RequestHeaderModifier, requestHeaderModifier: {remove: [Cookie]}}
      policy: {clientIP: {allow: [10.0.0.0/8]}, requestBody: {maxSize: 1k}}
      backendRefs: [{name: web, port: 80}]
    - name: page
      matches: [{path: {type: Exact, value: /page}}]
      filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /index.html}}}]
      policy: {clientIP: {}, requestBody: {maxSize: "0"}}
      backendRefs: [{name: web, port: 80}]
    - name: rest
      policy: {clientIP: {}, requestBody: {maxSize: "0"}}
      filters: [{type: RequestHeaderModifier, requestHeaderModifier: {}}]
      backendRefs: [{name: web, port: 80, weight: 0}]
---
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 8080}]
endpoints: [{addresses: [10.0.0.1]}]
`;

const anyAddress = 'only for the client addresses that the policy admits; else 403';
const anyBody = 'request bodies of at most 10485760 bytes; else 413';
const web = '100% -> default/web:80: 10.0.0.1:8080';

const cases: readonly (readonly [what: string, url: string, rule: string, outcome: readonly string[]])[] = [
  [
    'a redirect, where a rule lifts the policies of the route',
    'http://shop.test:8080/old/a%2fb?c=d',
    'moved: PathPrefix /old',
    ['308 -> https://shop.test/new/a%2Fb?c=d'],
  ],
  [
    'a redirect of exactly the prefix',
    'https://shop.test/old',
    'moved: PathPrefix /old',
    ['308 -> https://shop.test/new'],
  ],
  [
    'a redirect that keeps scheme, port, path and query, behind the policies of the route',
    'https://SHOP.test:8443/elsewhere/%61?q',
    'elsewhere: PathPrefix /elsewhere',
    [anyAddress, anyBody, '302 -> https://www.test:8443/elsewhere/a?q'],
  ],
  [
    'a redirect of a URL without a scheme',
    'shop.test/elsewhere',
    'elsewhere: PathPrefix /elsewhere',
    [anyAddress, anyBody, '302 -> http://www.test/elsewhere'],
  ],
  [
    'a direct response',
    'http://shop.test/gone',
    'gone: PathPrefix /gone',
    [anyAddress, anyBody, '410: the rule answers itself'],
  ],
  [
    'a rewrite of prefix and host, changed headers, and the policies of the rule in place of those of the route',
    'http://shop.test/api/v1?x',
    'api: PathPrefix /api',
    [
      anyAddress,
      'request bodies of at most 1000 bytes; else 413',
      'forwarded as /v1 of host api.internal',
      'with changed request headers',
      'with changed response headers',
      web,
    ],
  ],
  [
    'a rewrite of the whole path; the host stays as it was asked for',
    'http://shop.test:8080/page?x',
    'page: Exact /page',
    ['forwarded as /index.html of host shop.test:8080', web],
  ],
  [
    'filters, and no backend that takes requests',
    'http://shop.test/other',
    'rest: PathPrefix /',
    ['with changed request headers', '500: all backends of the rule have weight 0'],
  ],
];

for (const [what, url, rule, outcome] of cases)
  test(what, async () => {
    const { code, stdout, stderr } = await flint(['explain', url, '-f', '@/m.yaml'], { 'm.yaml': manifests });
    assert.deepEqual([code, stderr], [0, '']);
    const lines = stdout.trimEnd().split('\n');
    assert.deepEqual(
      lines.filter((line) => line.startsWith('  => ')),
      [`  => default/shop ${rule}`],
    );
    // What follows the opinions on every candidate.
    assert.deepEqual(lines.slice(lines.findLastIndex((line) => line.startsWith('  ')) + 1), outcome);
  });

test('a rule whose filters contradict one another is told on standard error', async () => {
  const wrong = manifests.replace('directResponse: {statusCode: 410', 'directResponse: {statusCode: 304');
  const { code, stdout, stderr } = await flint(['explain', 'shop.test/gone', '-f', '@/m.yaml'], {
    'm.yaml': wrong,
  });
  assert.equal(code, 1);
  assert.match(stdout, /^404: no host fits "shop\.test"/m);
  assert.match(
    stderr,
    /IngressRoute default\/shop is refused: spec\.rules\[2\]\.filters\[0\]\.directResponse\.body a response of this status has no body\n/,
  );
});
