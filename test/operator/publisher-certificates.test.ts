// Certificates and their keys travel in Secrets, are mended there like every chunk, and are handed to the next leader.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '#model/bundle.ts';
import type { Bundle } from '#model/bundle.ts';
import { digestOf } from '#model/canonical-json.ts';
import type { Certificate, RouteModel } from '#model/route-model.ts';
import { chunkKey, headName, partLabel } from '#model/wire-names.ts';
import { FakeApi } from '../kube/fake-api.ts';
import { exactHost, modelOf, upstream } from '../model/large-model.ts';
import { revealed } from '../model/revealed.ts';
import { certificateOf, keyText } from '../model/varied-model.ts';
import { chunkOf, claims, editHead, Leader, leaderOf } from './leader.ts';
import {
  chunkNames,
  configMaps,
  namespace,
  readBundle,
  secrets,
  storedHead,
  textIn,
  watchLaws,
} from './published.ts';

function modelWith(...certificates: readonly Certificate[]): RouteModel {
  const ids = certificates.map(({ id }) => id);
  const host = { ...exactHost('a.test', 'x/s:80'), certificates: ids };
  return { ...modelOf([host], [upstream('x/s:80', 1)]), certificates };
}

const shop = certificateOf('x/shop');
const bundle = encode(modelWith(shop));

/** A store with that bundle in it, as its leader has seen it since. */
async function published(of: Bundle = bundle): Promise<{ readonly api: FakeApi; readonly leader: Leader }> {
  const api = new FakeApi();
  const leader = await leaderOf(api);
  await leader.ensure(of);
  await leader.ensure(of);
  api.writes.length = 0;
  return { api, leader };
}

const name = chunkOf(bundle, 'certificates');

test('a chunk of certificates is a Secret: immutable, labelled, in base64, and no key is anywhere else', async () => {
  const api = new FakeApi();
  const broken = watchLaws(api);
  await (await leaderOf(api)).ensure(bundle);
  assert.deepEqual(broken, []);
  assert.equal(readBundle(api), bundle.digest);
  const [secret, ...others] = api.list(secrets);
  assert.deepEqual(others, []);
  assert.equal(secret?.metadata.name, name);
  assert.equal(secret.kind, 'Secret');
  assert.equal(secret['immutable'], true);
  assert.equal((secret.metadata['labels'] as Record<string, unknown>)[partLabel], 'chunk');
  const text = Buffer.from(textIn(secret, chunkKey) ?? '', 'base64').toString('utf8');
  assert.equal(`flint-certificates-${digestOf(text)}`, name);
  assert.ok(text.includes(JSON.stringify(keyText).slice(1, -1)));
  const readable = JSON.stringify(api.list(configMaps));
  for (const form of ['VisibleKey', Buffer.from('VisibleKeyVisibleKey').toString('base64')])
    assert.equal(readable.includes(form), false, form);
});

test('the writing of a Secret is no part of any repair message', async () => {
  const { api, leader } = await published();
  api.remove(secrets, name);
  api.put(secrets, { kind: 'Secret', metadata: { name, namespace }, data: { [chunkKey]: 'b3RoZXI=' } });
  await leader.ensure(bundle);
  assert.deepEqual(leader.repairs, [`chunk ${name} is not what its name says; it is made anew`]);
});

test('one that another hand deletes or replaces is made anew', async () => {
  const right = { kind: 'Secret', metadata: { name, namespace, labels: { [partLabel]: 'chunk' } } };
  const changes: readonly ((data: unknown) => object | undefined)[] = [
    () => undefined,
    () => ({ immutable: true, data: { [chunkKey]: 'e30=' } }),
    () => ({ immutable: true, data: { [chunkKey]: 'not base64!' } }),
    () => ({ immutable: true, data: {} }),
    () => ({ immutable: true, data: null }),
    // Right today, but anybody could change it tomorrow.
    (data) => ({ data }),
  ];
  for (const change of changes) {
    const { api, leader } = await published();
    const changed = change(api.get(secrets, name)?.['data']);
    api.remove(secrets, name);
    if (changed !== undefined) api.put(secrets, { ...right, ...changed });
    const head = await leader.ensure(bundle);
    assert.equal(readBundle(api), bundle.digest);
    assert.equal(api.get(secrets, name)?.['immutable'], true);
    assert.equal(head.sequence, 1, 'what is served is the same');
  }
});

test('a renewal writes one Secret and the head; the old one is collected as a Secret', async () => {
  const { api, leader } = await published();
  const renewed = encode(modelWith({ ...shop, notAfter: '2028-01-01T00:00:00Z' }));
  await leader.ensure(renewed);
  assert.deepEqual(api.writes, [`POST ${chunkOf(renewed, 'certificates')}`, `PUT ${headName}`]);
  await leader.collect();
  assert.deepEqual(
    api.list(secrets).map(({ metadata }) => metadata.name),
    [chunkOf(renewed, 'certificates')],
  );
  assert.equal(readBundle(api), renewed.digest);
});

test('the next leader is handed what was served last', async () => {
  const other = certificateOf('y/other', `${keyText}other`);
  const { api } = await published(encode(modelWith(shop, other)));
  const { claims: handed, certificates } = await new Leader(api).takeOver();
  assert.deepEqual(handed, claims);
  const byId = (list: readonly Certificate[]): unknown =>
    revealed({ ...modelWith(), certificates: list.toSorted((a, b) => (a.id < b.id ? -1 : 1)) }).certificates;
  assert.deepEqual(byId(certificates), byId([shop, other]));
});

test('a chunk of certificates that is lost is told, without its text, and the takeover goes on', async () => {
  for (const change of [
    (api: FakeApi) => api.remove(secrets, name),
    (api: FakeApi) => {
      api.remove(secrets, name);
      api.put(secrets, {
        kind: 'Secret',
        metadata: { name, namespace, labels: { [partLabel]: 'chunk' } },
        data: { [chunkKey]: Buffer.from(`[{"key":${JSON.stringify(keyText)}}]`).toString('base64') },
      });
    },
  ]) {
    const { api } = await published();
    change(api);
    const successor = new Leader(api);
    assert.deepEqual(await successor.takeOver(), { claims, certificates: [], keys: [] });
    assert.deepEqual(successor.repairs, [`certificates are lost: ${name} is missing or broken`]);
  }
});

test('when the head is lost or of a later version, certificates are those that are stored, the later ones holding', async () => {
  const renewed = { ...shop, notAfter: '2028-01-01T00:00:00Z' };
  for (const lose of [
    (api: FakeApi) => api.remove(configMaps, headName),
    (api: FakeApi) => editHead(api, '{"schema":99,"epoch":7,"sequence":40}'),
  ]) {
    const { api, leader } = await published();
    await leader.ensure(encode(modelWith(renewed, certificateOf('y/other'))));
    lose(api);
    const { certificates } = await new Leader(api).takeOver();
    assert.deepEqual(
      new Map(certificates.map(({ id, notAfter }) => [id, notAfter])),
      new Map([
        ['x/shop', renewed.notAfter],
        ['y/other', shop.notAfter],
      ]),
    );
  }
});

test('an older schema has no certificates, and leaves those of the newer one to the garbage', async () => {
  const { api, leader } = await published();
  const older = encode({ ...modelWith(), certificates: [] }, 2);
  const head = await leader.ensure(older);
  assert.equal(head.schema, 2);
  assert.equal(storedHead(api)?.schema, 2);
  assert.equal(readBundle(api), older.digest);
  assert.ok(chunkNames(api).includes(name));
  await leader.collect();
  assert.deepEqual(api.list(secrets), []);
  await leader.ensure(bundle);
  assert.equal(readBundle(api), bundle.digest);
});
