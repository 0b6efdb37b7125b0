// Certificates for cert-manager: one for each Secret, as its routes ask for it, and nobody else's touched.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { IssuerRef } from '#api/route-tls.ts';
import { ClusterObjects } from '#cluster/objects.ts';
import { ApiClient } from '#kube/api-client.ts';
import { CertificateKeeper } from '#operator/certificate-keeper.ts';
import type { CertificateRequest } from '#translate/translation.ts';
import { failure, FakeApi } from '../kube/fake-api.ts';
import { stopClock } from './fake-clock.ts';
import type { FakeClock } from './fake-clock.ts';

const certificates = '/apis/cert-manager.io/v1/namespaces/shop/certificates';
const letsencrypt: IssuerRef = { name: 'letsencrypt', kind: 'ClusterIssuer', group: undefined };

function request(
  name: string,
  secretName: string,
  dnsNames: readonly string[],
  issuer: IssuerRef = letsencrypt,
): CertificateRequest {
  return { object: { kind: 'IngressRoute', namespace: 'shop', name }, secretName, issuer, dnsNames };
}

/** A leader's keeper over a store of Certificates. */
class Safe {
  readonly api = new FakeApi();
  readonly errors: unknown[] = [];
  readonly clock: FakeClock;
  readonly keeper: CertificateKeeper;
  /** Names of routes that are gone. */
  readonly gone = new Set<string>();
  isLeading = true;
  #requests: readonly CertificateRequest[] = [];

  constructor(context: TestContext) {
    this.clock = stopClock(context);
    const controller = new AbortController();
    context.after(() => controller.abort());
    this.keeper = new CertificateKeeper({
      objects: new ClusterObjects(new ApiClient(this.api)),
      isLeading: () => this.isLeading,
      onError: (error) => this.errors.push(error),
      signal: controller.signal,
    });
  }

  /** As ticks do, one second after the other, with what is stored by then. */
  async keep(requests: readonly CertificateRequest[] = this.#requests, seconds = 1): Promise<void> {
    this.#requests = requests;
    for (let second = 0; second < seconds; second++) {
      this.clock.advance(1000);
      const existing = this.api.list('/apis/cert-manager.io/v1/certificates');
      this.keeper.keep(requests, existing, (_, name) => (this.gone.has(name) ? undefined : `uid-of-${name}`));
      for (let turn = 0; turn < 40; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Its spec and owners; undefined when there is none. */
  stored(name: string): unknown {
    const object = this.api.get(certificates, name);
    if (object === undefined) return undefined;
    const owners = object.metadata['ownerReferences'] as readonly { readonly uid: string }[];
    return { spec: object['spec'], owners: owners.map(({ uid }) => uid) };
  }
}

function spec(secretName: string, ...dnsNames: readonly string[]): object {
  return {
    secretName,
    dnsNames,
    issuerRef: { name: 'letsencrypt', kind: 'ClusterIssuer', group: 'cert-manager.io' },
  };
}

test('a Certificate is made for the Secret, its hosts and its issuer, owned by the route', async (context) => {
  const safe = new Safe(context);
  await safe.keep([request('web', 'web-tls', ['a.test', 'b.test'])]);
  const object = safe.api.get(certificates, 'web-tls');
  assert.deepEqual(object?.['spec'], spec('web-tls', 'a.test', 'b.test'));
  assert.deepEqual(object?.metadata['labels'], { 'app.kubernetes.io/managed-by': 'flint-operator' });
  assert.deepEqual(object?.metadata['ownerReferences'], [
    { apiVersion: 'flint.dev/v1alpha1', kind: 'IngressRoute', name: 'web', uid: 'uid-of-web' },
  ]);
  assert.equal(object?.kind, 'Certificate');
  assert.equal(object?.apiVersion, 'cert-manager.io/v1');
  assert.equal(safe.keeper.writes, 1);
});

test('an issuer without a kind is one of the namespace', async (context) => {
  const safe = new Safe(context);
  const issuer = { name: 'own', kind: undefined, group: undefined };
  await safe.keep([request('web', 'web-tls', ['a.test'], issuer)]);
  assert.deepEqual(safe.api.get(certificates, 'web-tls')?.['spec'], {
    secretName: 'web-tls',
    dnsNames: ['a.test'],
    issuerRef: { name: 'own', kind: 'Issuer', group: 'cert-manager.io' },
  });
});

test('one that is as wanted is not written, by no leader, and what cert-manager adds to it is left alone', async (context) => {
  const safe = new Safe(context);
  const requests = [request('web', 'web-tls', ['a.test'])];
  await safe.keep(requests);
  safe.api.edit(certificates, 'web-tls', (object) => ({
    ...object,
    spec: { ...(object['spec'] as object), privateKey: { rotationPolicy: 'Always' } },
    status: { revision: 1 },
  }));
  await safe.keep([...requests], 20);
  const next = new CertificateKeeper({
    objects: new ClusterObjects(new ApiClient(safe.api)),
    isLeading: () => true,
    onError: () => {},
    signal: new AbortController().signal,
  });
  next.keep(requests, safe.api.list(certificates), () => 'uid-of-web');
  await safe.keep();
  assert.deepEqual(safe.api.writes, ['APPLY web-tls']);
});

test('it follows the hosts of its route', async (context) => {
  const safe = new Safe(context);
  await safe.keep([request('web', 'web-tls', ['a.test'])]);
  const wanted = [request('web', 'web-tls', ['a.test', 'c.test'])];
  await safe.keep(wanted);
  assert.deepEqual(safe.api.writes, ['APPLY web-tls'], 'not right after the last write');
  await safe.keep(wanted, 5);
  assert.deepEqual(safe.stored('web-tls'), {
    spec: spec('web-tls', 'a.test', 'c.test'),
    owners: ['uid-of-web'],
  });
  assert.deepEqual(safe.api.writes, ['APPLY web-tls', 'APPLY web-tls']);
});

test('what another hand changes of ours is set again', async (context) => {
  const safe = new Safe(context);
  await safe.keep([request('web', 'web-tls', ['a.test'])], 10);
  safe.api.edit(certificates, 'web-tls', (object) => ({
    ...object,
    spec: { ...(object['spec'] as object), dnsNames: ['evil.test'] },
  }));
  await safe.keep();
  assert.deepEqual(safe.stored('web-tls'), { spec: spec('web-tls', 'a.test'), owners: ['uid-of-web'] });
  safe.api.remove(certificates, 'web-tls');
  await safe.keep(undefined, 6);
  assert.notEqual(safe.stored('web-tls'), undefined);
});

test('routes that share a Secret share a Certificate for the hosts of all, owned by all', async (context) => {
  const safe = new Safe(context);
  const other = { name: 'other', kind: 'Issuer', group: undefined };
  const requests = [
    request('web', 'shared', ['b.test', 'a.test'], other),
    request('api', 'shared', ['c.test', 'b.test']),
    request('own', 'own-tls', ['d.test']),
  ];
  await safe.keep(requests);
  assert.deepEqual(safe.stored('shared'), {
    // The issuer of the first by name.
    spec: spec('shared', 'a.test', 'b.test', 'c.test'),
    owners: ['uid-of-api', 'uid-of-web'],
  });
  assert.deepEqual(safe.stored('own-tls'), { spec: spec('own-tls', 'd.test'), owners: ['uid-of-own'] });
  await safe.keep(requests.toReversed(), 10);
  assert.equal(safe.api.writes.length, 2, 'whatever the order');
  // The same name in another namespace is another Secret.
  const elsewhere = request('web', 'shared', ['x.test']);
  await safe.keep([...requests, { ...elsewhere, object: { ...elsewhere.object, namespace: 'x' } }], 10);
  assert.equal(safe.api.writes.length, 3);
  const [theirs] = safe.api.list('/apis/cert-manager.io/v1/namespaces/x/certificates');
  assert.deepEqual(theirs?.['spec'], spec('shared', 'x.test'));
});

test('a route that comes to a Secret with no host of its own is one more owner', async (context) => {
  const safe = new Safe(context);
  const web = request('web', 'shared', ['a.test']);
  await safe.keep([web], 10);
  await safe.keep([web, request('api', 'shared', ['a.test'])], 10);
  assert.deepEqual(safe.stored('shared'), {
    spec: spec('shared', 'a.test'),
    owners: ['uid-of-api', 'uid-of-web'],
  });
  assert.equal(safe.api.writes.length, 2);
});

test('one that somebody else has made is left alone, whatever it says', async (context) => {
  const safe = new Safe(context);
  for (const labels of [{}, { 'app.kubernetes.io/managed-by': 'Helm' }]) {
    const theirs = safe.api.put(certificates, {
      metadata: { name: 'web-tls', labels },
      spec: { secretName: 'x' },
    });
    await safe.keep([request('web', 'web-tls', ['a.test'])], 20);
    assert.equal(safe.api.get(certificates, 'web-tls'), theirs);
  }
  assert.deepEqual(safe.api.writes, []);
});

test('nobody is asked for anything for a route that is gone, or without the lease', async (context) => {
  const safe = new Safe(context);
  const requests = [request('web', 'web-tls', ['a.test'])];
  safe.gone.add('web');
  await safe.keep(requests, 10);
  safe.gone.clear();
  safe.isLeading = false;
  await safe.keep([...requests], 10);
  assert.deepEqual(safe.api.requests, []);
  safe.isLeading = true;
  await safe.keep();
  assert.deepEqual(safe.api.writes, ['APPLY web-tls']);
});

test('what is refused is tried again less and less often, and the others do not wait for it', async (context) => {
  const safe = new Safe(context);
  safe.api.tap = ({ path }, answer) =>
    path.includes('web-tls') ? failure(422, 'Invalid', 'no such issuer kind') : answer();
  const requests = [request('web', 'web-tls', ['a.test']), request('zoo', 'zoo-tls', ['b.test'])];
  await safe.keep(requests, 60);
  assert.notEqual(safe.stored('zoo-tls'), undefined);
  const tries = safe.api.requests.filter((each) => each === 'PATCH web-tls').length;
  // After 5, 10, 20, 40 s.
  assert.ok(tries >= 3 && tries <= 5, `${tries} tries in a minute`);
  assert.equal(safe.errors.length, tries);
  safe.api.tap = (_, answer) => answer();
  await safe.keep(requests, 300);
  assert.notEqual(safe.stored('web-tls'), undefined);
});

test('thousands at once are a few writes at a time, and one after the other without a pause', async (context) => {
  const safe = new Safe(context);
  const requests = Array.from({ length: 1000 }, (_, index) =>
    request(`web-${index}`, `tls-${index}`, ['a.test']),
  );
  let underWay = 0;
  let most = 0;
  safe.api.tap = async (_, answer) => {
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => setImmediate(resolve));
    underWay--;
    return answer();
  };
  await safe.keep(requests, 1);
  for (let turn = 0; turn < 10_000 && safe.api.writes.length < 1000; turn++)
    await new Promise((resolve) => setImmediate(resolve));
  assert.equal(new Set(safe.api.writes).size, 1000);
  assert.equal(safe.api.writes.length, 1000);
  assert.ok(most <= 8, `${most} at a time`);
  await safe.keep(requests, 20);
  assert.equal(safe.api.writes.length, 1000);
});
