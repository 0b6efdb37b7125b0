// tls.validation: who may come, what backends are told of them, and that nobody else can say so.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { connect } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { createAuthority, issue } from '../tls/certificates.ts';
import type { Issued, TestAuthority } from '../tls/certificates.ts';
import { der } from '../tls/der.ts';
import { echoBackend } from './backends.ts';
import type { Echo } from './backends.ts';
import { runtime, startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { request } from './http-client.ts';
import { service, yaml } from './manifests.ts';
import { ask, authority, authoritySecret, open, routeWithTls, secret } from './tls-clients.ts';

const staff = createAuthority('Staff CA');
const strangers = createAuthority('Strangers CA');
const certificateRefs = [{ name: 'all-tls' }];
const caCertificateRefs = [{ name: 'staff' }];
const names = ['must.test', 'may.test', 'open.test', 'lost.test', 'other.test'];
const versions = ['TLSv1.2', 'TLSv1.3'] as const;

function clientOf(of: TestAuthority, client: Issued): ConnectionOptions {
  return { cert: of.chainOf(client), key: client.keyPem };
}

const alice = staff.issue({ commonName: 'alice', dnsNames: ['alice.test', 'a.alice.test'] });
const expired = staff.issue({
  dnsNames: ['late.test'],
  notBefore: '2020-01-01T00:00:00Z',
  notAfter: '2021-01-01T00:00:00Z',
});
const mallory = strangers.issue({ commonName: 'alice', dnsNames: ['alice.test'] });

async function objects(context: TestContext, ...more: readonly unknown[]): Promise<readonly unknown[]> {
  return [
    ...service('shop', [(await echoBackend(context, 'shop')).port]),
    secret('all-tls', authority.issue({ dnsNames: names })),
    authoritySecret('staff', staff),
    routeWithTls('must.test', 'shop', { certificateRefs, validation: { caCertificateRefs } }),
    routeWithTls('may.test', 'shop', {
      certificateRefs,
      plaintext: 'Serve',
      validation: { caCertificateRefs, mode: 'AllowInsecureFallback' },
    }),
    routeWithTls('open.test', 'shop', { certificateRefs, plaintext: 'Serve' }),
    routeWithTls('lost.test', 'shop', {
      certificateRefs,
      validation: { caCertificateRefs: [{ name: 'nowhere' }], mode: 'AllowInsecureFallback' },
    }),
    ...more,
  ];
}

async function scene(context: TestContext): Promise<FlintProcess> {
  return startFlint(context, yaml(...(await objects(context))), ['--workers', '1']);
}

interface Told {
  readonly verify: unknown;
  readonly certificate: unknown;
}

function toldIn(text: string): Told {
  const { headers } = JSON.parse(text) as Echo;
  return { verify: headers['x-client-verify'], certificate: headers['x-forwarded-client-cert'] };
}

async function told(flint: FlintProcess, name: string, options: ConnectionOptions): Promise<Told> {
  const { status, text } = await ask(flint, name, options);
  assert.equal(status, 200);
  return toldIn(text);
}

/** Whether no request gets through; a client of TLS 1.3 takes its handshake for whole before it is judged. */
async function isRefused(flint: FlintProcess, name: string, options: ConnectionOptions): Promise<boolean> {
  try {
    await ask(flint, name, options);
    return false;
  } catch {
    return true;
  }
}

const identity = `Hash=${createHash('sha256').update(alice.der).digest('hex')};Subject="CN=alice";DNS=alice.test;DNS=a.alice.test`;

test('with a certificate that is believed a client is let in, and backends are told who it is', async (context) => {
  const flint = await scene(context);
  for (const version of versions)
    for (const name of ['must.test', 'may.test']) {
      const options = { ...clientOf(staff, alice), minVersion: version, maxVersion: version };
      assert.deepEqual(await told(flint, name, options), { verify: 'SUCCESS', certificate: identity });
    }
});

test('without one, or with one of strangers or of the past, nobody is let in where it is a must', async (context) => {
  const flint = await scene(context);
  for (const version of versions) {
    const range = { minVersion: version, maxVersion: version };
    for (const options of [{}, clientOf(strangers, mallory), clientOf(staff, expired)])
      assert.ok(await isRefused(flint, 'must.test', { ...options, ...range }));
  }
  await flint.counted('flint_tls_handshakes_total{outcome="client-refused"}', 6);
  assert.equal(flint.accessLog.length, 0);
  for (const version of versions) {
    const range = { minVersion: version, maxVersion: version };
    assert.deepEqual(await told(flint, 'may.test', range), { verify: 'NONE', certificate: undefined });
    for (const options of [clientOf(strangers, mallory), clientOf(staff, expired)])
      assert.deepEqual(await told(flint, 'may.test', { ...options, ...range }), {
        verify: 'FAILED',
        certificate: undefined,
      });
  }
});

test('what a client says of itself in these fields is never passed on, in no spelling, on no host, in no trailer', async (context) => {
  const flint = await scene(context);
  const lies = { 'X-Forwarded-Client-Cert': 'Hash=0', 'x-CLIENT-verify': 'SUCCESS' };
  const nothing = { verify: undefined, certificate: undefined };
  const asked = async (name: string, options: ConnectionOptions = {}): Promise<Told> =>
    toldIn((await ask(flint, name, { ...options, headers: { host: name, ...lies } })).text);
  assert.deepEqual(await asked('open.test'), nothing);
  assert.deepEqual(await asked('may.test'), { ...nothing, verify: 'NONE' });
  assert.deepEqual(await asked('must.test', clientOf(staff, alice)), {
    verify: 'SUCCESS',
    certificate: identity,
  });
  const plain = await request(flint.httpPort, 'open.test', '/', {
    headers: 'X-Forwarded-Client-Cert: Hash=0\r\nX-Client-Verify: SUCCESS\r\n',
  });
  assert.deepEqual(toldIn(plain.body), nothing);
  for (const name of ['X_Client_Verify', 'X-Client_Verify', 'X_Forwarded_Client_Cert'])
    for (const host of ['open.test', 'may.test']) {
      const disguised = await request(flint.httpPort, host, '/', { headers: `${name}: SUCCESS\r\n` });
      assert.equal(disguised.status, 400, name);
    }
});

test('not even a proxy that is trusted may say it', async (context) => {
  const flint = await startFlint(context, yaml(...(await objects(context))), [
    '--trusted-proxy',
    '127.0.0.0/8',
  ]);
  const headers =
    'X-Forwarded-Proto: https\r\nX-Forwarded-Client-Cert: Hash=0\r\nX-Client-Verify: SUCCESS\r\n';
  const open = await request(flint.httpPort, 'open.test', '/', { headers });
  assert.deepEqual(toldIn(open.body), { verify: undefined, certificate: undefined });
  const must = await request(flint.httpPort, 'must.test', '/', { headers });
  assert.deepEqual([must.status, must.headers['x-flint-fault']], [403, 'plaintext-rejected']);
  const { status, text } = await ask(flint, 'must.test', {
    ...clientOf(staff, alice),
    headers: { host: 'must.test', 'x-client-verify': 'NONE', 'x-forwarded-client-cert': 'Hash=0' },
  });
  assert.equal(status, 200);
  assert.deepEqual(toldIn(text), { verify: 'SUCCESS', certificate: identity });
});

test('rules are matched by what backends are told, and not by what a client says', async (context) => {
  const rules = [
    {
      matches: [{ headers: [{ name: 'X-Client-Verify', value: 'SUCCESS' }] }],
      backendRefs: [{ name: 'desk', port: 80 }],
    },
    {
      matches: [{ headers: [{ name: 'X-Forwarded-For', value: '192.0.2.1' }] }],
      backendRefs: [{ name: 'desk', port: 80 }],
    },
    { backendRefs: [{ name: 'shop', port: 80 }] },
  ];
  const validation = { caCertificateRefs, mode: 'AllowInsecureFallback' };
  const flint = await startFlint(
    context,
    yaml(
      ...(await objects(
        context,
        ...service('desk', [(await echoBackend(context, 'desk')).port]),
        routeWithTls('other.test', 'shop', { certificateRefs, plaintext: 'Serve', validation }, { rules }),
      )),
    ),
  );
  const backendOf = (text: string): string => (JSON.parse(text) as Echo).backend;
  for (const lie of [{ 'x-client-verify': 'SUCCESS' }, { 'x-forwarded-for': '192.0.2.1' }]) {
    const { text } = await ask(flint, 'other.test', { headers: { host: 'other.test', ...lie } });
    assert.equal(backendOf(text), 'shop');
  }
  const plain = await request(flint.httpPort, 'other.test', '/', { headers: 'X-Client-Verify: SUCCESS\r\n' });
  assert.equal(backendOf(plain.body), 'shop');
  assert.equal(backendOf((await ask(flint, 'other.test', clientOf(staff, alice))).text), 'desk');
});

test('HTTP/2 tells backends the same, and is believed as little', async (context) => {
  const flint = await scene(context);
  const session = connectHttp2('https://must.test', {
    createConnection: () =>
      connect({
        host: '127.0.0.1',
        port: flint.httpsPort,
        servername: 'must.test',
        ca: authority.root.certificate,
        ALPNProtocols: ['h2'],
        ...clientOf(staff, alice),
      }),
  });
  context.after(() => session.destroy());
  const stream = session.request({
    ':path': '/',
    'x-client-verify': 'NONE',
    'x-forwarded-client-cert': 'Hash=0',
  });
  let text = '';
  for await (const bytes of stream) text += String(bytes);
  assert.deepEqual(toldIn(text), { verify: 'SUCCESS', certificate: identity });
});

test('a chain has to end in a root: an intermediate CA by itself vouches for nobody', async (context) => {
  const half = { ...staff, root: staff.intermediate };
  const validation = { caCertificateRefs: [{ name: 'half' }], mode: 'AllowInsecureFallback' };
  const more = [
    authoritySecret('half', half),
    routeWithTls('other.test', 'shop', { certificateRefs, validation }),
  ];
  const flint = await startFlint(context, yaml(...(await objects(context, ...more))));
  assert.equal((await told(flint, 'other.test', clientOf(staff, alice))).verify, 'FAILED');
});

test('a certificate inside of a certificate is not that of the client', async (context) => {
  const flint = await scene(context);
  const inner = issue({ commonName: 'admin', dnsNames: ['admin.test'] });
  const alternativeNames = der(0x86, Buffer.from(`urn:\n${inner.certificate}`));
  const nested = staff.issue({ commonName: 'carol', alternativeNames });
  const { verify, certificate } = await told(flint, 'may.test', clientOf(staff, nested));
  // Bun cannot tell what is in it, and does not believe it.
  if (runtime === 'bun')
    assert.deepEqual({ verify, certificate }, { verify: 'FAILED', certificate: undefined });
  else assert.match(String(certificate), /^Hash=[0-9a-f]{64};Subject="CN=carol";URI="urn:/);
});

test('a session keeps what it has proved, for its own host alone', async (context) => {
  const flint = await scene(context);
  const options = { ...clientOf(staff, alice), maxVersion: 'TLSv1.2' } as const;
  const first = await open(flint, 'must.test', options);
  const session = first.getSession();
  assert.ok(session !== undefined);
  first.destroy();
  const resumed = await open(flint, 'must.test', { session, maxVersion: 'TLSv1.2' });
  assert.ok(resumed.isSessionReused());
  resumed.write('GET / HTTP/1.1\r\nHost: must.test\r\n\r\n');
  assert.match(String((await once(resumed, 'data'))[0]), /"x-client-verify":"SUCCESS"/);
  resumed.destroy();
  const other = await open(flint, 'may.test', { session, maxVersion: 'TLSv1.2' });
  assert.equal(other.isSessionReused(), false);
  other.destroy();
  // Nor does one that has proved nothing become a proof.
  const refused = await open(flint, 'may.test', { ...clientOf(strangers, mallory), maxVersion: 'TLSv1.2' });
  const worthless = refused.getSession();
  assert.ok(worthless !== undefined);
  refused.destroy();
  const again = await told(flint, 'may.test', { session: worthless, maxVersion: 'TLSv1.2' });
  assert.notEqual(again.verify, 'SUCCESS');
});

test('hosts of one certificate do not share connections across what they demand', async (context) => {
  const flint = await scene(context);
  const options = clientOf(staff, alice);
  for (const [connected, asked] of [
    ['open.test', 'must.test'],
    ['open.test', 'may.test'],
    ['may.test', 'must.test'],
    ['must.test', 'open.test'],
  ] as const) {
    const { status } = await ask(flint, connected, { ...options, headers: { host: asked } });
    assert.equal(status, 421, `${connected} ${asked}`);
  }
});

test('without its authorities a host lets nobody in, and says so; with them it does', async (context) => {
  const all = await objects(context);
  const flint = await startFlint(context, yaml(...all));
  assert.ok(await isRefused(flint, 'lost.test', clientOf(staff, alice)));
  await flint.counted('flint_tls_handshakes_total{outcome="no-certificate"}', 1);
  assert.equal((await ask(flint, 'open.test')).status, 200);
  await flint.apply(yaml(...all, authoritySecret('nowhere', staff)));
  assert.equal((await told(flint, 'lost.test', clientOf(staff, alice))).verify, 'SUCCESS');
});

test('a connection does not outlive the demands that it was made under', async (context) => {
  const all = await objects(context);
  const flint = await startFlint(context, yaml(...all), ['--workers', '1']);
  const socket = await open(flint, 'open.test');
  const answer = async (): Promise<string> => {
    socket.write('GET / HTTP/1.1\r\nHost: open.test\r\n\r\n');
    return String(((await once(socket, 'data')) as [Buffer])[0]).slice(0, 13);
  };
  assert.equal(await answer(), 'HTTP/1.1 200 ');
  const demanding = routeWithTls('open.test', 'shop', { certificateRefs, validation: { caCertificateRefs } });
  await flint.apply(
    yaml(...all.map((each) => (JSON.stringify(each).includes('"open-test"') ? demanding : each))),
  );
  assert.equal(await answer(), 'HTTP/1.1 421 ');
  socket.destroy();
  assert.ok(await isRefused(flint, 'open.test', {}));
});

test('plain HTTP of a host that demands a certificate is sent on, and never served', async (context) => {
  const flint = await scene(context);
  assert.equal((await request(flint.httpPort, 'must.test', '/')).status, 308);
  const may = await request(flint.httpPort, 'may.test', '/');
  assert.deepEqual([may.status, toldIn(may.body).verify], [200, undefined]);
});

test('where a certificate is a must, challenges in plain HTTP reach rules that are for them alone', async (context) => {
  const challenges = [{ path: { type: 'PathPrefix', value: '/.well-known/acme-challenge' } }];
  const rules = [
    { matches: challenges, backendRefs: [{ name: 'shop', port: 80 }] },
    { backendRefs: [{ name: 'shop', port: 80 }] },
  ];
  const validation = { caCertificateRefs };
  const solved = routeWithTls('other.test', 'shop', { certificateRefs, validation }, { rules });
  const flint = await startFlint(context, yaml(...(await objects(context, solved))));
  const path = '/.well-known/acme-challenge/token';
  assert.equal((await request(flint.httpPort, 'other.test', path)).status, 200);
  const must = await request(flint.httpPort, 'must.test', path);
  assert.deepEqual([must.status, must.headers['x-flint-fault']], [403, 'plaintext-rejected']);
  assert.equal((await request(flint.httpPort, 'may.test', path)).status, 200);
});
