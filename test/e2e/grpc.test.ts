// gRPC as its own library speaks it, on both sides of Flint: in the clear and over TLS, to backends of h2c.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { after, suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { status as Status } from '@grpc/grpc-js';
import type { Client, ClientDuplexStream, ServiceError, StatusObject } from '@grpc/grpc-js';
import { closedPort } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { callUnary, grpcBackend, grpcClient, grpcObjects, identity, methods, repeats } from './grpc-echo.ts';
import type { GrpcBackend } from './grpc-echo.ts';
import { schemes } from './h2-clients.ts';
import type { Scheme } from './h2-clients.ts';
import { yaml } from './manifests.ts';
import { eventually, mib, residentBytesOf, settled } from './process-figures.ts';

/** For all tests, one after the other: each has backends and a connection of its own. */
const streams = ['--workers', '1', '--set', 'limits.concurrentStreams=1000'];
const flint = await startFlint({ after }, yaml(...grpcObjects([])), streams);

interface Scene {
  readonly backend: GrpcBackend;
  readonly client: Client;
}

async function scene(context: TestContext, scheme: Scheme, rule: object = {}): Promise<Scene> {
  const backend = await grpcBackend(context);
  await flint.apply(yaml(...grpcObjects([backend.port], rule)));
  return { backend, client: grpcClient(context, flint, scheme) };
}

function chat(client: Client): ClientDuplexStream<Buffer, Buffer> {
  const call = client.makeBidiStreamRequest(methods.Chat.path, identity, identity);
  call.on('error', () => {});
  return call;
}

async function said(call: ClientDuplexStream<Buffer, Buffer>, text: string): Promise<string> {
  const answer = once(call, 'data') as Promise<[Buffer]>;
  call.write(Buffer.from(text));
  return (await answer)[0].toString();
}

/** Not by `once`: one that is no success is an error, too. */
function statusOf(call: ClientDuplexStream<Buffer, Buffer>): Promise<StatusObject> {
  return new Promise((resolve) => {
    call.on('status', resolve);
  });
}

for (const scheme of schemes)
  suite(`over ${scheme}`, () => {
    test('a message each way, empty, small and of 4 MiB', async (context) => {
      const { client } = await scene(context, scheme);
      for (const bytes of [0, 1, 16_384, 4 * mib]) {
        const message = randomBytes(bytes);
        const { code, message: answer } = await callUnary(client, message);
        assert.equal(code, Status.OK);
        assert.ok(answer?.equals(message), `${bytes} bytes`);
      }
    });

    test('streams of the client, of the server, and of both', async (context) => {
      const { client } = await scene(context, scheme);
      const pieces = Array.from({ length: 20 }, (_, index) => randomBytes(index * 5000));
      const collected = await new Promise<Buffer>((resolve, reject) => {
        const call = client.makeClientStreamRequest(
          methods.Collect.path,
          identity,
          identity,
          (error: ServiceError | null, value?: Buffer) => {
            if (error === null && value !== undefined) resolve(value);
            else reject(error ?? new Error('no message'));
          },
        );
        for (const piece of pieces) call.write(piece);
        call.end();
      });
      assert.ok(collected.equals(Buffer.concat(pieces)));
      const repeated: Buffer[] = [];
      const call = client.makeServerStreamRequest(
        methods.Repeat.path,
        identity,
        identity,
        repeats(50, 10_000),
      );
      call.on('data', (message: Buffer) => repeated.push(message));
      await once(call, 'end');
      assert.deepEqual(
        repeated.map((message) => [message.length, message[0]]),
        Array.from({ length: 50 }, (_, index) => [10_000, 49 - index]),
      );
      const both = chat(client);
      const ended = statusOf(both);
      for (const text of ['one', 'two', 'three']) assert.equal(await said(both, text), text);
      both.end();
      assert.equal((await ended).code, Status.OK);
    });

    test('metadata both ways, text and bytes, before the messages and after them', async (context) => {
      const { client } = await scene(context, scheme);
      const bytes = Buffer.from([0, 1, 2, 253, 254, 255]);
      const metadata = { 'x-echo': 'text, with a comma', 'x-echo-bin': bytes };
      const { code, initial, trailing } = await callUnary(client, Buffer.from('x'), { metadata });
      assert.equal(code, Status.OK);
      for (const received of [initial, trailing]) {
        assert.deepEqual(received.get('x-echo'), ['text, with a comma']);
        assert.deepEqual(received.get('x-echo-bin'), [bytes]);
      }
    });

    test('every status of the backend arrives as it is, with its details and metadata', async (context) => {
      const { client } = await scene(context, scheme);
      for (let expected = 1; expected <= 16; expected++) {
        const metadata = { 'x-fail': String(expected), 'x-echo-bin': Buffer.from([expected]) };
        const { code, details, trailing } = await callUnary(client, Buffer.from('x'), { metadata });
        assert.deepEqual([code, details], [expected, 'a detail, with %, ü and 界']);
        assert.deepEqual(trailing.get('x-echo-bin'), [Buffer.from([expected])]);
      }
    });

    test("a client's deadline and its cancellation reach the backend", async (context) => {
      const { client, backend } = await scene(context, scheme);
      const hang = { 'x-hang': '1' };
      const { code } = await callUnary(client, Buffer.from('x'), { metadata: hang, deadlineMs: 2000 });
      assert.equal(code, Status.DEADLINE_EXCEEDED);
      const isCancelled = (count: number): Promise<number> =>
        eventually(
          () => backend.cancelled,
          (cancelled) => cancelled === count,
        );
      assert.equal(await isCancelled(1), 1);
      const both = chat(client);
      assert.equal(await said(both, 'hello'), 'hello');
      const ended = statusOf(both);
      both.cancel();
      assert.equal((await ended).code, Status.CANCELLED);
      assert.equal(await isCancelled(2), 2);
      assert.equal((await callUnary(client, Buffer.from('x'))).code, Status.OK);
    });

    test('1000 calls at once on one connection', async (context) => {
      const { client, backend } = await scene(context, scheme);
      const calls = Array.from({ length: 1000 }, () => chat(client));
      const first = await Promise.all(calls.map((call, index) => said(call, `first of ${index}`)));
      assert.deepEqual(
        first,
        calls.map((_, index) => `first of ${index}`),
      );
      // All of them are open by now.
      assert.equal(backend.called, 1000);
      const ended = calls.map(statusOf);
      for (const call of calls) call.end();
      const codes = (await Promise.all(ended)).map(({ code }) => code);
      assert.deepEqual(new Set(codes), new Set([Status.OK]));
    });

    test('our own answers are statuses: nobody home, no route, too slow', async (context) => {
      const rule = { timeouts: { request: '300ms' } };
      const { client } = await scene(context, scheme, rule);
      const late = await callUnary(client, Buffer.from('x'), { metadata: { 'x-hang': '1' } });
      assert.equal(late.code, Status.DEADLINE_EXCEEDED);
      assert.match(late.details, /backend-timeout/);
      const elsewhere = await callUnary(client, Buffer.from('x'), { path: '/flint.test.Other/Unary' });
      assert.equal(elsewhere.code, Status.UNIMPLEMENTED);
      assert.match(elsewhere.details, /route-not-found/);
      await flint.apply(yaml(...grpcObjects([closedPort], rule)));
      const refused = await callUnary(client, Buffer.from('x'));
      assert.equal(refused.code, Status.UNAVAILABLE);
      await flint.apply(yaml(...grpcObjects([], rule)));
      const nobody = await callUnary(client, Buffer.from('x'));
      assert.equal(nobody.code, Status.UNAVAILABLE);
      assert.match(nobody.details, /endpoints-none/);
    });

    test('a stream stays with its backend when others take its place', async (context) => {
      const { client, backend } = await scene(context, scheme);
      const next = await grpcBackend(context);
      const both = chat(client);
      assert.equal(await said(both, 'before'), 'before');
      await flint.apply(yaml(...grpcObjects([next.port])));
      for (let round = 0; round < 5; round++) {
        assert.equal((await callUnary(client, Buffer.from('x'))).code, Status.OK);
        assert.equal(await said(both, `after ${round}`), `after ${round}`);
      }
      assert.deepEqual([backend.called, next.called], [1, 5]);
      const ended = statusOf(both);
      both.end();
      assert.equal((await ended).code, Status.OK);
    });

    test('a consumer that stops reading stops the backend, and loses nothing', async (context) => {
      const { client, backend } = await scene(context, scheme);
      assert.equal((await callUnary(client, Buffer.from('x'))).code, Status.OK);
      const before = residentBytesOf(flint.pid);
      const count = 256;
      const call = client.makeServerStreamRequest(
        methods.Repeat.path,
        identity,
        identity,
        repeats(count, mib),
      );
      let received = 0;
      call.on('data', () => received++);
      call.pause();
      await eventually(
        () => backend.sent,
        (sent) => sent > 0,
      );
      await settled(() => backend.sent);
      assert.ok(backend.sent < count / 2, `${backend.sent} messages of ${count} were sent`);
      const held = residentBytesOf(flint.pid) - before;
      context.diagnostic(`held for a consumer that stops: ${Math.round(held / mib)} MiB`);
      assert.ok(held < 48 * mib, `${Math.round(held / mib)} MiB are held`);
      const ended = once(call, 'end');
      call.resume();
      await ended;
      assert.equal(received, count);
    });
  });
