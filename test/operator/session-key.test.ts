// The key of sessions over the terms of several leaders: made once, as long as some rule has sessions, and seen by nobody.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { headName } from '#model/wire-names.ts';
import type { FakeApi } from '../kube/fake-api.ts';
import { until } from '../kube/until.ts';
import { configMaps, readModel, secrets, storedHead } from './published.ts';
import { cluster, putRoute, routes, Term } from './term.ts';

const backendRefs = [{ name: 'shop', port: 80 }];
const withSessions = { rules: [{ sessionPersistence: {}, backendRefs }] };

/** What data planes have: undefined for no key. */
function servedKey(api: FakeApi): string | undefined {
  const decoded = readModel(api);
  return decoded?.kind === 'Decoded' ? decoded.model.keys[0]?.key.reveal() : undefined;
}

function assertHidden(term: Term, key: string): void {
  const { api, operator, warnings } = term;
  for (const text of [key, Buffer.from(key).toString('base64')])
    for (const place of [
      JSON.stringify(api.list(configMaps)),
      JSON.stringify(warnings),
      inspect(operator, { depth: 20, showHidden: true }),
    ])
      assert.ok(!place.includes(text));
}

test('there is a key as soon as a rule has sessions, and none before', async (context) => {
  const api = cluster();
  putRoute(api, 'plain');
  const term = new Term(context, api);
  await term.ready('plain');
  assert.deepEqual([servedKey(api), api.list(secrets)], [undefined, []]);
  putRoute(api, 'sticky', withSessions);
  await term.ready('sticky');
  const key = servedKey(api);
  assert.match(key ?? '', /^[A-Za-z0-9+/]{43}=$/);
  assertHidden(term, key ?? '');
});

test('it survives changes of leaders, and a head that is lost between two of them', async (context) => {
  const api = cluster();
  putRoute(api, 'sticky', withSessions);
  let term = new Term(context, api);
  await term.ready('sticky');
  const key = servedKey(api);
  assert.ok(key !== undefined);
  for (const lose of [() => {}, () => api.remove(configMaps, headName), () => {}]) {
    await term.end();
    lose();
    term = new Term(context, api);
    const route = `later-${term.published.length}-${api.writes.length}`;
    putRoute(api, route);
    await term.ready(route);
    assert.equal(servedKey(api), key);
    assertHidden(term, key);
  }
});

test('it stays for as long as this leader leads, though no rule has sessions for a while', async (context) => {
  const api = cluster();
  putRoute(api, 'sticky', withSessions);
  const term = new Term(context, api);
  await term.ready('sticky');
  const key = servedKey(api);
  api.edit(routes, 'sticky', (route) => ({
    ...route,
    spec: { hostnames: ['sticky.test'], rules: [{ backendRefs }] },
  }));
  await until('no key is published', () => servedKey(api) === undefined);
  assert.ok(storedHead(api) !== undefined);
  api.edit(routes, 'sticky', (route) => ({
    ...route,
    spec: { hostnames: ['sticky.test'], ...withSessions },
  }));
  await until('a key is published', () => servedKey(api) !== undefined);
  assert.equal(servedKey(api), key);
});

test('a Secret that another hand deletes is made anew, with the same key', async (context) => {
  const api = cluster();
  putRoute(api, 'sticky', withSessions);
  const term = new Term(context, api);
  await term.ready('sticky');
  const key = servedKey(api);
  const [secret] = api.list(secrets);
  api.remove(secrets, secret?.metadata.name ?? '');
  await until('it is there again', () => servedKey(api) !== undefined);
  assert.equal(servedKey(api), key);
});
