// HTTP/2 as Node's own client speaks it, in the clear and over TLS, to backends of HTTP/1.1.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ClientHttp2Session } from 'node:http2';
import { after, suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { rawBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import {
  accountBackend,
  accountOf,
  answerOf,
  ask,
  begin,
  httpBackend,
  openSession,
  sceneObjects,
  schemes,
  sha256,
} from './h2-clients.ts';
import type { Scheme } from './h2-clients.ts';
import { yaml } from './manifests.ts';
import { mib, pause } from './process-figures.ts';

/** For all tests, one after the other: each has a backend and a connection of its own. */
const flint = await startFlint({ after }, yaml(...sceneObjects([])), ['--workers', '1']);

async function before(
  context: TestContext,
  scheme: Scheme,
  port: number,
  options: Parameters<typeof openSession>[2] = {},
): Promise<ClientHttp2Session> {
  await flint.apply(yaml(...sceneObjects([port])));
  const session = await openSession(flint, scheme, options);
  context.after(() => session.destroy());
  return session;
}

for (const scheme of schemes)
  suite(`over ${scheme}`, () => {
    test('GET, HEAD, POST and DELETE', async (context) => {
      const session = await before(context, scheme, await accountBackend(context));
      const get = await ask(session, { headers: { ':path': '/a?b=c', accept: 'text/html' } });
      const account = accountOf(get);
      assert.deepEqual([get.status, account.method, account.url], [200, 'GET', '/a?b=c']);
      const fields = new Map(account.fields);
      assert.deepEqual(
        ['host', 'accept', 'x-forwarded-proto', 'x-forwarded-for'].map((name) => fields.get(name)),
        ['shop.test', 'text/html', scheme, '127.0.0.1'],
      );
      assert.ok(![...fields.keys()].some((name) => name.startsWith(':')));
      const head = await ask(session, { headers: { ':method': 'HEAD' } });
      assert.deepEqual([head.status, head.body.length], [200, 0]);
      const post = await ask(session, {
        headers: { ':method': 'POST' },
        body: [Buffer.from('a'), Buffer.from('bc')],
      });
      assert.deepEqual(
        [accountOf(post).method, accountOf(post).sha256],
        ['POST', sha256(Buffer.from('abc'))],
      );
      assert.equal(accountOf(await ask(session, { headers: { ':method': 'DELETE' } })).method, 'DELETE');
    });

    test('100 streams at once, each with its own answer', async (context) => {
      const session = await before(context, scheme, await accountBackend(context));
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, number) =>
          ask(session, {
            headers: { ':method': 'POST', ':path': `/${number}` },
            body: [Buffer.alloc(number)],
          }),
        ),
      );
      for (const [number, answer] of answers.entries()) {
        const { url, bodyBytes } = accountOf(answer);
        assert.deepEqual([url, bodyBytes], [`/${number}`, number]);
      }
    });

    test('10 MiB up and 10 MiB down, several at a time', async (context) => {
      const bytes = randomBytes(10 * mib);
      const uploads = await accountBackend(context);
      const session = await before(context, scheme, uploads);
      const accounts = await Promise.all(
        Array.from({ length: 3 }, () => ask(session, { headers: { ':method': 'PUT' }, body: [bytes] })),
      );
      for (const answer of accounts)
        assert.deepEqual(
          [accountOf(answer).bodyBytes, accountOf(answer).sha256],
          [bytes.length, sha256(bytes)],
        );
      const downloads = await httpBackend(context, (_request, response) => response.end(bytes));
      const other = await before(context, scheme, downloads);
      const answers = await Promise.all(Array.from({ length: 3 }, () => ask(other)));
      for (const { body } of answers) assert.equal(sha256(body), sha256(bytes));
    });

    test('trailers both ways', async (context) => {
      let seen: object = {};
      const port = await httpBackend(context, (request, response) => {
        request.resume();
        request.on('end', () => {
          seen = { ...request.trailers };
          response.writeHead(200, { trailer: 'x-checksum' });
          response.write('body');
          response.addTrailers({ 'x-checksum': 'abc' });
          response.end();
        });
      });
      const session = await before(context, scheme, port);
      const answer = await ask(session, {
        headers: { ':method': 'POST', te: 'trailers' },
        body: [Buffer.from('x')],
        trailers: { 'x-digest': '123' },
      });
      assert.deepEqual(seen, { 'x-digest': '123' });
      assert.deepEqual([answer.body.toString(), answer.trailers['x-checksum']], ['body', 'abc']);
    });

    test('interim responses arrive before the final one', async (context) => {
      const port = await httpBackend(context, (_request, response) => {
        response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
        response.end('done');
      });
      const session = await before(context, scheme, port);
      const { interim, status, body } = await ask(session);
      assert.deepEqual(
        interim.map((fields) => [fields[':status'], fields['link']]),
        [[103, '</style.css>; rel=preload; as=style']],
      );
      assert.deepEqual([status, body.toString()], [200, 'done']);
    });

    test('a head that is too large gets 431, and the connection goes on', async (context) => {
      const session = await before(context, scheme, await accountBackend(context), {
        maxSendHeaderBlockLength: 1_000_000,
      });
      const many = Object.fromEntries(Array.from({ length: 120 }, (_, number) => [`x-${number}`, 'y']));
      const long = Object.fromEntries(
        Array.from({ length: 40 }, (_, number) => [`x-${number}`, 'y'.repeat(2000)]),
      );
      for (const headers of [many, long]) {
        const { status, headers: fields } = await ask(session, { headers });
        assert.deepEqual([status, fields['x-flint-fault']], [431, 'head-too-large']);
      }
      assert.equal((await ask(session)).status, 200);
    });

    test('crumbs of a cookie reach the backend as one field', async (context) => {
      const session = await before(context, scheme, await accountBackend(context));
      const { fields } = accountOf(await ask(session, { headers: { cookie: ['a=1', 'b=2', 'c=3'] } }));
      assert.deepEqual(
        fields.filter(([name]) => name === 'cookie'),
        [['cookie', 'a=1; b=2; c=3']],
      );
    });

    test('a client that cancels a stream ends the connection to the backend, and no other stream', async (context) => {
      const slowPath = `/slow-${scheme}`;
      const gone: string[] = [];
      const port = await httpBackend(context, (request, response) => {
        response.on('close', () => {
          if (!response.writableFinished) gone.push(request.url ?? '');
        });
        if (request.url !== slowPath) response.end('quick');
      });
      const session = await before(context, scheme, port);
      const slow = begin(session, { headers: { ':path': slowPath } });
      assert.equal((await ask(session)).body.toString(), 'quick');
      slow.on('error', () => {});
      slow.close(8);
      await flint.until(() =>
        flint.accessLog.some(({ path, fault }) => path === slowPath && fault === 'client-closed'),
      );
      while (gone.length === 0) await pause(10);
      assert.deepEqual(gone, [slowPath]);
      assert.equal((await ask(session)).status, 200);
    });

    test('a backend that breaks off resets the stream: no body looks complete', async (context) => {
      const { port } = await rawBackend(context, (socket) => {
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
      });
      const session = await before(context, scheme, port);
      const stream = begin(session);
      stream.on('error', () => {});
      await assert.rejects(answerOf(stream), /reset|ERR_HTTP2/);
      assert.equal(session.closed, false);
    });

    test('windows of any size, smaller and larger while a response is under way', async (context) => {
      const bytes = randomBytes(mib);
      const port = await httpBackend(context, (_request, response) => response.end(bytes));
      const session = await before(context, scheme, port, { settings: { initialWindowSize: 100 } });
      const [first] = await Promise.all([
        ask(session),
        (async () => {
          for (const initialWindowSize of [1, 0, 50_000, 1000, mib])
            await new Promise<void>((resolve) => {
              session.settings({ initialWindowSize }, () => resolve());
            });
        })(),
      ]);
      assert.equal(sha256(first.body), sha256(bytes));
      assert.equal(sha256((await ask(session)).body), sha256(bytes));
    });

    test('no dynamic table, a small one, a large one, and changes between requests', async (context) => {
      const port = await httpBackend(context, (request, response) => {
        response.setHeader('x-twice', `value of ${request.url}`);
        response.end();
      });
      const session = await before(context, scheme, port, { settings: { headerTableSize: 0 } });
      for (const headerTableSize of [0, 100, 65_536, 0, 4096]) {
        await new Promise<void>((resolve) => {
          session.settings({ headerTableSize }, () => resolve());
        });
        for (let round = 0; round < 20; round++) {
          const { headers } = await ask(session, {
            headers: { ':path': `/${round % 5}`, 'x-a': `${round % 3}` },
          });
          assert.equal(headers['x-twice'], `value of /${round % 5}`);
        }
      }
    });

    test('a ping is answered with what it holds', async (context) => {
      const session = await before(context, scheme, await accountBackend(context));
      const sent = Buffer.from('12345678');
      const payload = await new Promise<Buffer>((resolve, reject) => {
        session.ping(sent, (error, _durationMs, bytes) => {
          if (error === null) resolve(bytes);
          else reject(error);
        });
      });
      assert.deepEqual(payload, sent);
    });

    test('a connection of which nobody wants more ends in peace', async (context) => {
      const session = await before(context, scheme, await accountBackend(context));
      assert.equal((await ask(session)).status, 200);
      const closed = once(session, 'close');
      session.close();
      await closed;
    });
  });
