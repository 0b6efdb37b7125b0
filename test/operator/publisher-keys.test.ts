// The key of sessions travels in a Secret of its own, and is handed to the next leader: another one would end every session.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '#model/bundle.ts';
import { digestOf } from '#model/canonical-json.ts';
import type { RouteModel, SigningKey } from '#model/route-model.ts';
import { newSessionKey } from '#model/signing-key.ts';
import { chunkKey, headName, partLabel } from '#model/wire-names.ts';
import { FakeApi } from '../kube/fake-api.ts';
import { exactHost, modelOf, upstream } from '../model/large-model.ts';
import { chunkOf, claims, editHead, Leader, leaderOf } from './leader.ts';
import { configMaps, namespace, readBundle, secrets, textIn, watchLaws } from './published.ts';

function modelWith(...keys: readonly SigningKey[]): RouteModel {
  return { ...modelOf([exactHost('a.test', 'x/s:80')], [upstream('x/s:80', 1)]), keys };
}

const key = newSessionKey();
const bundle = encode(modelWith(key));
const name = chunkOf(bundle, 'keys');

async function published(): Promise<FakeApi> {
  const api = new FakeApi();
  await (await leaderOf(api)).ensure(bundle);
  return api;
}

async function handed(api: FakeApi): Promise<readonly string[]> {
  const { keys } = await new Leader(api).takeOver();
  return keys.map((each) => each.key.reveal());
}

test('a chunk of keys is a Secret: immutable, labelled, in base64, and the key is nowhere else', async () => {
  const api = new FakeApi();
  const broken = watchLaws(api);
  await (await leaderOf(api)).ensure(bundle);
  assert.deepEqual(broken, []);
  assert.equal(readBundle(api), bundle.digest);
  const [secret, ...others] = api.list(secrets);
  assert.deepEqual(others, []);
  assert.equal(secret?.metadata.name, name);
  assert.equal(secret['immutable'], true);
  assert.equal((secret.metadata['labels'] as Record<string, unknown>)[partLabel], 'chunk');
  const text = Buffer.from(textIn(secret, chunkKey) ?? '', 'base64').toString('utf8');
  assert.equal(`flint-keys-${digestOf(text)}`, name);
  assert.deepEqual(JSON.parse(text), [{ id: 'session', key: key.key.reveal() }]);
  assert.ok(!JSON.stringify(api.list(configMaps)).includes(key.key.reveal()));
});

test('a model without sessions has no such Secret', async () => {
  const api = new FakeApi();
  await (await leaderOf(api)).ensure(encode(modelWith()));
  assert.deepEqual(api.list(secrets), []);
});

test('the next leader is handed it, also when the head is lost or of a later version', async () => {
  assert.deepEqual(await handed(await published()), [key.key.reveal()]);
  for (const lose of [
    (api: FakeApi) => api.remove(configMaps, headName),
    (api: FakeApi) => editHead(api, '{"schema":99,"epoch":7,"sequence":40}'),
    (api: FakeApi) => editHead(api, 'no head'),
  ]) {
    const api = await published();
    lose(api);
    assert.deepEqual(await handed(api), [key.key.reveal()]);
  }
});

test('where several are stored and no head says which, the youngest holds', async () => {
  const api = await published();
  const later = newSessionKey();
  await (await leaderOf(api)).ensure(encode(modelWith(later)));
  api.remove(configMaps, headName);
  assert.deepEqual(await handed(api), [later.key.reveal()]);
});

test('one that is lost is told, without its text, and the takeover goes on', async () => {
  const short = Buffer.from(`[{"id":"session","key":"${key.key.reveal().slice(4)}"}]`).toString('base64');
  for (const data of [undefined, short]) {
    const api = await published();
    api.remove(secrets, name);
    if (data !== undefined)
      api.put(secrets, {
        kind: 'Secret',
        metadata: { name, namespace, labels: { [partLabel]: 'chunk' } },
        data: { [chunkKey]: data },
      });
    const successor = new Leader(api);
    assert.deepEqual(await successor.takeOver(), { claims, certificates: [], keys: [] });
    assert.deepEqual(successor.repairs, [`keys are lost: ${name} is missing or broken`]);
  }
});
