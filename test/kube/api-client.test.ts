// Calls of the Kubernetes API: what is sent, errors in the API server's own words, time limits, lines of a stream.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiClient, ApiError, isApiError } from '#kube/api-client.ts';
import type { ApiCall } from '#kube/api-client.ts';
import { failure, hang, json } from './fake-api.ts';
import { answering, pieces, ScriptedTransport, stuck } from './scripted-transport.ts';

function call(parts: Partial<ApiCall> = {}): ApiCall {
  return { method: 'GET', path: '/api/v1/nodes', signal: new AbortController().signal, ...parts };
}

async function linesOf(client: ApiClient): Promise<unknown[]> {
  const lines: unknown[] = [];
  for await (const line of client.lines(call())) lines.push(line);
  return lines;
}

test('a call sends its method, path, headers and body, and resolves to the parsed answer', async () => {
  const transport = new ScriptedTransport(() => pieces('{"a":', '"é', '"}'));
  const client = new ApiClient(transport);
  assert.deepEqual(await client.json(call()), { a: 'é' });
  await client.json(call({ method: 'PUT', body: { b: 1 } }));
  await client.json(
    call({ method: 'PATCH', body: [], contentType: 'application/apply-patch+yaml', accept: 'x/y' }),
  );
  assert.deepEqual(
    transport.requests.map(({ method, path, headers, body }) => [method, path, headers, body]),
    [
      ['GET', '/api/v1/nodes', { accept: 'application/json' }, undefined],
      ['PUT', '/api/v1/nodes', { accept: 'application/json', 'content-type': 'application/json' }, '{"b":1}'],
      ['PATCH', '/api/v1/nodes', { accept: 'x/y', 'content-type': 'application/apply-patch+yaml' }, '[]'],
    ],
  );
});

test('a Status is an error with its status, reason and message', async () => {
  const client = new ApiClient(
    new ScriptedTransport(() => failure(409, 'AlreadyExists', 'configmaps "x" already exists')),
  );
  for (const asked of [() => client.json(call({ method: 'POST' })), () => linesOf(client)])
    await assert.rejects(asked, (error) => {
      assert.ok(error instanceof ApiError);
      assert.equal(error.name, 'ApiError');
      assert.equal(error.status, 409);
      assert.equal(error.reason, 'AlreadyExists');
      assert.match(error.message, /^(POST|GET) \/api\/v1\/nodes: 409 configmaps "x" already exists$/);
      assert.ok(isApiError(error, 409));
      assert.ok(!isApiError(error, 404));
      return true;
    });
  assert.ok(!isApiError(new Error('no'), 409));
});

test('an answer that is no Status is an error with its text, as far as that is bearable', async () => {
  const bodies: readonly (readonly [string, string])[] = [
    ['upstream connect error', 'upstream connect error'],
    ['', ''],
    ['null', 'null'],
    ['[1]', '[1]'],
    ['{"reason":1,"message":{}}', '{"reason":1,"message":{}}'],
    ['x'.repeat(100_000), 'x'.repeat(4096)],
  ];
  for (const [body, message] of bodies) {
    const client = new ApiClient(new ScriptedTransport(() => ({ ...pieces(body), status: 502 })));
    await assert.rejects(client.json(call()), {
      name: 'ApiError',
      status: 502,
      reason: '',
      message: `GET /api/v1/nodes: 502 ${message}`,
    });
  }
});

test('a refusal says when to come back', async () => {
  const client = new ApiClient(
    new ScriptedTransport(() => ({ ...failure(429, 'TooManyRequests', 'later'), retryAfterSeconds: 7 })),
  );
  await assert.rejects(client.json(call()), { status: 429, retryAfterSeconds: 7 });
});

test('any status of the two hundreds is an answer', async () => {
  for (const status of [200, 201, 202, 299])
    assert.deepEqual(await new ApiClient(new ScriptedTransport(() => json(status, {}))).json(call()), {});
  for (const status of [199, 301, 304, 400, 500])
    await assert.rejects(new ApiClient(new ScriptedTransport(() => json(status, {}))).json(call()), {
      status,
    });
});

test('an answer that is no JSON, or ends early, rejects', async () => {
  for (const text of ['', '{', '{"a":1', 'ok']) {
    const client = new ApiClient(new ScriptedTransport(() => pieces(text)));
    await assert.rejects(client.json(call()), SyntaxError);
  }
});

test('a transport that hangs is given up, before and within its answer, in a call and in an error', async () => {
  const transports = [
    new ScriptedTransport(hang),
    new ScriptedTransport((request) => answering(200, stuck(request, '{"a":'))),
    new ScriptedTransport((request) => answering(500, stuck(request, '{"a":'))),
  ];
  for (const transport of transports) {
    const client = new ApiClient(transport, 20);
    await assert.rejects(client.json(call()), {
      message: 'GET /api/v1/nodes: no answer within the time allowed (20 ms)',
    });
    assert.ok(transport.requests[0]?.signal.aborted);
  }
});

test('the head of a stream has a time limit, the stream itself has none', async () => {
  await assert.rejects(
    linesOf(new ApiClient(new ScriptedTransport(hang), 20)),
    /no answer within the time allowed/,
  );
  const slow = async function* (): AsyncGenerator<Uint8Array> {
    for (const text of ['{"a":1}\n', '{"a":2}\n']) {
      await new Promise((resolve) => setTimeout(resolve, 40));
      yield Buffer.from(text);
    }
  };
  const transport = new ScriptedTransport(() => answering(200, slow()));
  assert.deepEqual(await linesOf(new ApiClient(transport, 20)), [{ a: 1 }, { a: 2 }]);
});

test('the caller ends a call, a stream that says nothing, and a call that has not begun', async () => {
  for (const answer of [hang, (request: Parameters<typeof hang>[0]) => answering(200, stuck(request))]) {
    const controller = new AbortController();
    const transport = new ScriptedTransport(answer);
    const client = new ApiClient(transport);
    const reason = new Error('enough');
    const pending = client.json(call({ signal: controller.signal }));
    const stream = client.lines(call({ signal: controller.signal })).next();
    controller.abort(reason);
    await assert.rejects(pending, reason);
    await assert.rejects(stream, reason);
    await assert.rejects(client.json(call({ signal: controller.signal })), reason);
  }
});

test('the signal of a request is ended with it, so that nothing holds its connection', async () => {
  const transport = new ScriptedTransport((request, index) =>
    index === 0 ? json(200, {}) : answering(200, stuck(request, '{"a":1}\n')),
  );
  const client = new ApiClient(transport);
  await client.json(call());
  for await (const line of client.lines(call())) {
    assert.deepEqual(line, { a: 1 });
    assert.equal(transport.requests[1]?.signal.aborted, false);
    break;
  }
  assert.deepEqual(
    transport.requests.map(({ signal }) => signal.aborted),
    [true, true],
  );
});

const content = [{ text: 'plain' }, { text: 'é — 日本 😀' }, { text: 'a\\nb "quoted"' }, [], { '😀': null }];
const stream = Buffer.from(`${content.map((line) => JSON.stringify(line)).join('\n')}\n`);

test('lines are the same wherever the stream is split, also within a character', async () => {
  for (let at = 0; at <= stream.length; at++) {
    const transport = new ScriptedTransport(() => pieces(stream.subarray(0, at), stream.subarray(at)));
    assert.deepEqual(await linesOf(new ApiClient(transport)), content, `split at ${at}`);
  }
});

test('lines are the same in pieces of every size, and with empty pieces and empty lines between', async () => {
  for (let size = 1; size <= 40; size++) {
    const parts: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += size)
      parts.push(stream.subarray(at, at + size), new Uint8Array());
    const transport = new ScriptedTransport(() => pieces('\n', ...parts, '\n\n'));
    assert.deepEqual(await linesOf(new ApiClient(transport)), content, `pieces of ${size}`);
  }
});

test('a stream that ends within a line gives the lines before it', async () => {
  for (const rest of ['{"a"', '{"a":1', '😀'])
    assert.deepEqual(await linesOf(new ApiClient(new ScriptedTransport(() => pieces('{"a":0}\n', rest)))), [
      { a: 0 },
    ]);
});

test('a stream that breaks throws after the lines that came whole', async () => {
  const breaking = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from('{"a":1}\n{"a":');
    throw new Error('reset');
  };
  for (const [body, expected] of [
    [() => answering(200, breaking()), /reset/],
    [() => pieces('{"a":1}\nno json\n{"a":2}\n'), SyntaxError],
  ] as const) {
    const seen: unknown[] = [];
    const lines = new ApiClient(new ScriptedTransport(body)).lines(call());
    await assert.rejects(async () => {
      for await (const line of lines) seen.push(line);
    }, expected);
    assert.deepEqual(seen, [{ a: 1 }]);
  }
});

test('closing closes the transport', () => {
  const transport = new ScriptedTransport(hang);
  new ApiClient(transport).close();
  assert.equal(transport.closed, 1);
});
