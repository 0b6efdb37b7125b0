// --route: what it stands for, and what it says of every text that is no route.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadCrdValidators } from '#local/crd-file.ts';
import { LocalCluster } from '#local/local-cluster.ts';
import { objectsOfRouteFlag } from '#local/route-flag.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import { translate } from '#translate/translate.ts';

const validators = loadCrdValidators();

/** `HOST PREFIX -> ENDPOINTS` of the route that the flag makes, through CRD and translation. */
function routeOf(text: string): string {
  const cluster = new LocalCluster(validators);
  const locate = () => ({ file: '--route', line: 1, column: 1 });
  const objects = objectsOfRouteFlag(text, 1);
  assert.deepEqual(cluster.replace(objects.map((object) => ({ object, locate }))), []);
  const { model, verdicts } = translate(cluster.view('2024-06-01T00:00:00Z'), defaultTranslateSettings);
  assert.deepEqual(
    verdicts.map((verdict) => (verdict.kind === 'NotOurs' ? verdict.message : verdict.problems)),
    [[]],
  );
  const [host] = verdicts.flatMap((verdict) => (verdict.kind === 'Accepted' ? verdict.hosts : []));
  const endpoints = model.upstreams.flatMap((upstream) => upstream.endpoints);
  return `${host} ${model.hosts[0]?.rules[0]?.matches[0]?.path.value} -> ${endpoints
    .map(({ address, port }) => `${address}:${port}`)
    .join(',')}`;
}

const good: readonly (readonly [text: string, expected: string])[] = [
  ['shop.localhost=127.0.0.1:3000', 'shop.localhost / -> 127.0.0.1:3000'],
  ['shop.localhost/=127.0.0.1:3000', 'shop.localhost / -> 127.0.0.1:3000'],
  ['shop.localhost/api=127.0.0.1:3000', 'shop.localhost /api -> 127.0.0.1:3000'],
  ['shop.localhost/api/=127.0.0.1:3000', 'shop.localhost /api -> 127.0.0.1:3000'],
  ['*/=127.0.0.1:1', '* / -> 127.0.0.1:1'],
  ['*.shop.localhost=10.0.0.1:65535', '*.shop.localhost / -> 10.0.0.1:65535'],
  ['a.test=localhost:80', 'a.test / -> 127.0.0.1:80'],
  ['a.test=[::1]:80', 'a.test / -> ::1:80'],
  ['a.test=10.0.0.2:80,10.0.0.1:81', 'a.test / -> 10.0.0.1:81,10.0.0.2:80'],
  ['a.test=10.0.0.1:80,10.0.0.1:80', 'a.test / -> 10.0.0.1:80'],
];

for (const [text, expected] of good) test(text, () => assert.equal(routeOf(text), expected));

const hostFault = 'is neither a lower-case DNS name, a *. wildcard nor "*"';
const targetFault = 'is no ADDRESS:PORT, such as 127.0.0.1:3000 or [::1]:3000';

const bad: readonly (readonly [text: string, message: string])[] = [
  ['', 'there is no "=" between the match and the endpoints'],
  ['a.test', 'there is no "=" between the match and the endpoints'],
  ['a.test/127.0.0.1:80', 'there is no "=" between the match and the endpoints'],
  ['=127.0.0.1:80', `the host "" ${hostFault}`],
  ['/api=127.0.0.1:80', `the host "" ${hostFault}`],
  ['A.test=127.0.0.1:80', `the host "A.test" ${hostFault}`],
  ['a.test:8080/=127.0.0.1:80', `the host "a.test:8080" ${hostFault}`],
  ['http://a.test=127.0.0.1:80', `the host "http:" ${hostFault}`],
  ['127.0.0.1/=127.0.0.1:80', 'the host "127.0.0.1" is an IP address; a hostname is a DNS name'],
  ['a.test=', `"" ${targetFault}`],
  ['a.test=127.0.0.1', `"127.0.0.1" ${targetFault}`],
  ['a.test=:80', `":80" ${targetFault}`],
  ['a.test=127.0.0.1:', `"127.0.0.1:" ${targetFault}`],
  ['a.test=127.0.0.1:0', `"127.0.0.1:0" ${targetFault}`],
  ['a.test=127.0.0.1:65536', `"127.0.0.1:65536" ${targetFault}`],
  ['a.test=127.0.0.1:http', `"127.0.0.1:http" ${targetFault}`],
  ['a.test=::1:80', `"::1:80" ${targetFault}`],
  ['a.test=backend:80', `"backend:80" ${targetFault}`],
  ['a.test=1.2.3:80', `"1.2.3:80" ${targetFault}`],
  ['a.test=http://127.0.0.1:80', `"http://127.0.0.1:80" ${targetFault}`],
  ['a.test=127.0.0.1:80,', `"" ${targetFault}`],
  ['a.test=127.0.0.1:80, 127.0.0.1:81', `" 127.0.0.1:81" ${targetFault}`],
  ['a.test=127.0.0.1:80,[::1]:81', 'its endpoints are of two IP families; a Service uses one of them'],
  ['a.test=b=127.0.0.1:80', `"b=127.0.0.1:80" ${targetFault}`],
];

for (const [text, message] of bad)
  test(`"${text}" is no route`, () =>
    assert.throws(() => objectsOfRouteFlag(text, 1), { message: `--route ${text}: ${message}` }));

test('several flags make several objects', () => {
  const names = [1, 2].flatMap((number) =>
    objectsOfRouteFlag('a.test=127.0.0.1:80,127.0.0.1:81', number).map(
      ({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`,
    ),
  );
  assert.equal(new Set(names).size, 8);
});
