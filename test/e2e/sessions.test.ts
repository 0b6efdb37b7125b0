// Clients that come back to where they were: by cookie and by field, through changes of endpoints and weights.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { echoBackend } from './backends.ts';
import type { Backend, Cleanup, Echo } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { ask, openSession, sceneObjects } from './h2-clients.ts';
import { request } from './http-client.ts';
import type { Answer } from './http-client.ts';
import { service, simpleRoute, yaml } from './manifests.ts';

const host = 'shop.test';
const cookieRule = { sessionPersistence: {} };

function backends(context: Cleanup, count: number): Promise<Backend[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => echoBackend(context, `shop-${index}`)));
}

function servedBy({ body }: Answer): string {
  return (JSON.parse(body) as Echo).backend;
}

function cookieOf({ headers }: Answer): string | undefined {
  return headers['set-cookie']?.split(';')[0];
}

/** A rule that has sessions, to all of these. */
function cookieScene(shops: readonly Backend[]): string {
  const ports = shops.map(({ port }) => port);
  return yaml(simpleRoute(host, 'shop', cookieRule), ...service('shop', ports));
}

interface User {
  cookie: string;
  backend: string;
}

async function visit(port: number, user?: User): Promise<User> {
  const headers = user === undefined ? '' : `Cookie: a=b; ${user.cookie}\r\n`;
  const answer = await request(port, host, '/', { headers });
  assert.equal(answer.status, 200);
  return { cookie: cookieOf(answer) ?? user?.cookie ?? '', backend: servedBy(answer) };
}

test('a user stays where the first request went, whatever worker takes the next ones', async (context) => {
  const shops = await backends(context, 4);
  const flint = await startFlint(context, cookieScene(shops), ['--workers', '2']);
  const answer = await request(flint.httpPort, host, '/');
  assert.match(
    answer.headers['set-cookie'] ?? '',
    /^flint-[0-9a-f]{12}=[\w-]{64}; Path=\/; HttpOnly; SameSite=Lax$/,
  );
  const seen = new Set<string>();
  for (let user = 0; user < 20; user++) {
    const first = await visit(flint.httpPort);
    seen.add(first.backend);
    for (let turn = 0; turn < 5; turn++) assert.deepEqual(await visit(flint.httpPort, first), first);
  }
  assert.ok(seen.size >= 3, 'users are spread');
});

test('an endpoint more moves nobody; one that goes moves its own users alone, and they stay where they came', async (context) => {
  const shops = await backends(context, 4);
  const ports = shops.map(({ port }) => port);
  const manifests = (...used: readonly number[]): string =>
    yaml(simpleRoute(host, 'shop', cookieRule), ...service('shop', used));
  const flint = await startFlint(context, manifests(...ports.slice(0, 3)));
  const users: User[] = [];
  for (let user = 0; user < 30; user++) users.push(await visit(flint.httpPort));
  await flint.apply(manifests(...ports));
  for (const user of users) assert.deepEqual(await visit(flint.httpPort, user), user);
  await flint.apply(manifests(...ports.slice(1)));
  for (const user of users) {
    const moved = await visit(flint.httpPort, user);
    if (user.backend !== 'shop-0') assert.deepEqual(moved, user);
    else {
      assert.notEqual(moved.backend, 'shop-0');
      assert.deepEqual(await visit(flint.httpPort, moved), moved);
    }
  }
});

test('a canary that grows takes over whom it needs and nobody leaves it', async (context) => {
  const [stable, canary] = (await backends(context, 2)) as [Backend, Backend];
  const manifests = (weight: number): string =>
    yaml(
      simpleRoute(host, 'stable', {
        ...cookieRule,
        backendRefs: [
          { name: 'stable', port: 80, weight: 100 - weight },
          { name: 'canary', port: 80, weight },
        ],
      }),
      ...service('stable', [stable.port]),
      ...service('canary', [canary.port]),
    );
  const flint = await startFlint(context, manifests(20));
  const users: User[] = [];
  for (let user = 0; user < 100; user++) users.push(await visit(flint.httpPort));
  const inCanary = (list: readonly User[]): number =>
    list.filter(({ backend }) => backend === 'shop-1').length;
  assert.ok(inCanary(users) > 3 && inCanary(users) < 45, String(inCanary(users)));
  await flint.apply(manifests(50));
  const later: User[] = [];
  for (const user of users) later.push(await visit(flint.httpPort, user));
  for (const [index, user] of users.entries())
    if (user.backend === 'shop-1') assert.equal(later[index]?.backend, 'shop-1', 'nobody leaves the canary');
  assert.ok(inCanary(later) > 22 && inCanary(later) < 78, String(inCanary(later)));
  assert.ok(inCanary(later) >= inCanary(users) + 8, `${inCanary(later)} after ${inCanary(users)}`);
});

test('a cookie on a line of its own, behind another, is found', async (context) => {
  const shops = await backends(context, 2);
  const flint = await startFlint(context, cookieScene(shops));
  const user = await visit(flint.httpPort);
  const headers = `Cookie: a=b\r\nCookie: ${user.cookie}\r\n`;
  for (let turn = 0; turn < 4; turn++) {
    const answer = await request(flint.httpPort, host, '/', { headers });
    assert.deepEqual([servedBy(answer), cookieOf(answer)], [user.backend, undefined]);
  }
});

test('a forged cookie is none: a new session begins', async (context) => {
  const shops = await backends(context, 2);
  const flint = await startFlint(context, cookieScene(shops));
  const user = await visit(flint.httpPort);
  const forged = `${user.cookie.slice(0, -4)}AAAA`;
  const answer = await request(flint.httpPort, host, '/', { headers: `Cookie: ${forged}\r\n` });
  assert.equal(answer.status, 200);
  assert.notEqual(cookieOf(answer), undefined);
  assert.notEqual(cookieOf(answer), forged);
});

test('a field, over HTTP/2 with TLS', async (context) => {
  const shops = await backends(context, 3);
  const rule = { sessionPersistence: { type: 'Header', sessionName: 'X-Session' } };
  const flint = await startFlint(
    context,
    yaml(
      ...sceneObjects(
        shops.map(({ port }) => port),
        rule,
      ),
    ),
  );
  const session = await openSession(flint, 'https');
  const first = await ask(session);
  const token = String(first.headers['x-session']);
  assert.match(token, /^[\w-]{64}$/);
  const nameOf = ({ body }: { readonly body: Buffer }): string =>
    (JSON.parse(body.toString()) as Echo).backend;
  for (let turn = 0; turn < 6; turn++) {
    const again = await ask(session, { headers: { 'x-session': token } });
    assert.equal(nameOf(again), nameOf(first));
    assert.equal(again.headers['x-session'], undefined, 'nothing new');
  }
  session.close();
});

test('over TLS the cookie is Secure, and permanent where it is to be', async (context) => {
  const shops = await backends(context, 1);
  const rule = {
    sessionPersistence: {
      sessionName: 'shop',
      absoluteTimeout: '1h',
      cookieConfig: { lifetimeType: 'Permanent' },
    },
  };
  const flint = await startFlint(
    context,
    yaml(
      ...sceneObjects(
        shops.map(({ port }) => port),
        rule,
      ),
    ),
  );
  const session = await openSession(flint, 'https');
  const { headers } = await ask(session);
  assert.match(
    String(headers['set-cookie']),
    /^shop=[\w-]{64}; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=36(00|01)$/,
  );
  session.close();
});
