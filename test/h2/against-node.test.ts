// Sessions against Node's http2, which is nghttp2: random messages in both directions, settings that change under way, resets,
// refusals and ends. What it reads of our compression is what another decoder makes of it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, constants, performServerHandshake } from 'node:http2';
import type { ClientHttp2Session, IncomingHttpHeaders, ServerHttp2Stream, Settings } from 'node:http2';
import { duplexPair } from 'node:stream';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { ErrorCode } from '#h2/error-code.ts';
import type { Stream } from '#h2/stream.ts';
import { Random } from '../fuzz/random.ts';
import { DuplexClient, DuplexServer } from './duplex-session.ts';
import type { ReceivedRequest, ReceivedResponse } from './duplex-session.ts';
import { bytesOf, linesOf, namedValues, randomRequest, randomResponse, sorted } from './node-messages.ts';
import type { RequestMessage, ResponseMessage } from './node-messages.ts';

const seed = 20_261_128;
const connections = 3;
const requestsEach = 40;

function randomSettings(random: Random): Settings {
  return {
    headerTableSize: random.oneOf([0, 50, 300, 4096, 65_536]),
    initialWindowSize: random.oneOf([1000, 20_000, 65_535, 1_000_000]),
    maxFrameSize: random.oneOf([16_384, 100_000]),
  };
}

describe("Node's client", () => {
  interface Scene {
    readonly client: ClientHttp2Session;
    readonly server: DuplexServer;
  }

  function scene(
    context: TestContext,
    settings: Settings,
    onWhole: (request: ReceivedRequest) => void,
  ): Scene {
    const [near, far] = duplexPair();
    const server = new DuplexServer(far, onWhole);
    const client = connect('http://a.example', { createConnection: () => near, settings });
    client.on('error', () => {});
    context.after(() => {
      client.destroy();
      far.destroy();
    });
    return { client, server };
  }

  function answer(server: DuplexServer, stream: Stream, response: ResponseMessage): void {
    const head = `HTTP/1.1 ${response.status} Reason\r\n${linesOf(response.fields)}`;
    server.session.sendHead(stream, Buffer.from(head, 'latin1'));
    server.session.sendData(stream, response.body, 0, response.body.length);
    const trailers = response.trailers.length === 0 ? '' : linesOf(response.trailers);
    server.session.endStream(stream, Buffer.from(trailers, 'latin1'));
  }

  async function ask(client: ClientHttp2Session, message: RequestMessage): Promise<ResponseMessage> {
    const stream = client.request(
      { ':method': message.method, ':path': message.path, ...Object.fromEntries(message.fields) },
      { endStream: message.method === 'GET', waitForTrailers: message.trailers.length > 0 },
    );
    stream.on('wantTrailers', () => stream.sendTrailers(Object.fromEntries(message.trailers)));
    if (message.method !== 'GET') stream.end(message.body);
    let trailers: object = {};
    stream.on('trailers', (headers: object) => {
      trailers = headers;
    });
    const coming = bytesOf(stream);
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }];
    const body = await coming;
    return {
      status: headers[':status'],
      fields: namedValues(headers),
      body,
      trailers: namedValues(trailers),
    };
  }

  test('random messages both ways, under settings that change', async (context) => {
    const random = new Random(seed);
    for (let left = connections; left > 0; left--) {
      const asked = new Map<string, RequestMessage>();
      const answers = new Map<string, ResponseMessage>();
      const { client, server } = scene(context, randomSettings(random), (request) => {
        const { method, target, incoming } = request;
        const expected = asked.get(target);
        assert(expected !== undefined, `nobody asked for ${target}`);
        assert.equal(incoming.ended, 'Whole');
        assert.equal(method, expected.method);
        assert.deepEqual(sorted(incoming.fields), sorted(expected.fields));
        assert(incoming.body.equals(expected.body), 'the body of a request');
        assert.deepEqual(incoming.trailers, expected.trailers);
        answer(server, incoming.stream, answers.get(target)!);
      });
      const all = Array.from({ length: requestsEach }, async (_, index) => {
        const message = { ...randomRequest(random), path: `/${index}` };
        const expected = randomResponse(random);
        asked.set(message.path, message);
        answers.set(message.path, expected);
        if (index % 7 === 3) client.settings(randomSettings(random));
        const response = await ask(client, message);
        assert.equal(response.status, expected.status);
        assert.deepEqual(sorted(response.fields), sorted(expected.fields));
        assert(response.body.equals(expected.body), 'the body of a response');
        assert.deepEqual(response.trailers, expected.trailers);
      });
      await Promise.all(all);
      assert.equal(server.failure, undefined);
      assert.deepEqual([server.session.openStreams, server.session.queuedBytes], [0, 0]);
    }
  });

  test('learns what we can do', async (context) => {
    const { client } = scene(context, {}, () => {});
    const [settings] = (await once(client, 'remoteSettings')) as [Settings];
    assert.equal(settings.enableConnectProtocol, true);
    assert.equal(settings.initialWindowSize, 262_144);
    assert.equal(settings.maxConcurrentStreams, 1000);
  });

  test('resets a stream, and we hear why', async (context) => {
    const { promise, resolve } = Promise.withResolvers<ReceivedRequest>();
    const { client, server } = scene(context, {}, resolve);
    const stream = client.request({ ':method': 'POST', ':path': '/' });
    stream.on('error', () => {});
    stream.write('some');
    await once(client, 'remoteSettings');
    stream.destroy(new Error('given up'));
    const { incoming } = await promise;
    assert.equal(incoming.ended, ErrorCode.InternalError);
    assert.equal(server.session.openStreams, 0);
  });

  test('hears why we reset a stream', async (context) => {
    const { client, server } = scene(context, {}, ({ incoming }) =>
      server.session.resetStream(incoming.stream, ErrorCode.EnhanceYourCalm),
    );
    const stream = client.request({ ':path': '/' });
    stream.on('error', () => {});
    await bytesOf(stream);
    assert.equal(stream.rstCode, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });

  test('finishes what it has begun when we go away', async (context) => {
    const { client, server } = scene(context, {}, ({ target, incoming }) => {
      if (target === '/first') server.session.refuseNewStreams();
      answer(server, incoming.stream, {
        status: 200,
        fields: [],
        body: Buffer.from(target),
        trailers: [],
      });
    });
    const goingAway = once(client, 'goaway');
    const first = ask(client, { ...randomRequest(new Random(1)), method: 'GET', path: '/first' });
    const [code, lastStreamId] = (await goingAway) as [number, number];
    assert.deepEqual([code, lastStreamId], [0, 1]);
    assert.deepEqual((await first).body, Buffer.from('/first'));
  });

  test('pings, and is answered', async (context) => {
    const { client } = scene(context, {}, () => {});
    await once(client, 'remoteSettings');
    const { promise, resolve } = Promise.withResolvers<Buffer>();
    client.ping(Buffer.from('12345678'), (_error, _duration, payload) => resolve(payload));
    assert.deepEqual(await promise, Buffer.from('12345678'));
  });
});

describe("Node's server", () => {
  interface Scene {
    readonly client: DuplexClient;
  }

  type Handler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

  function scene(context: TestContext, settings: Settings, handle: Handler): Scene {
    const [near, far] = duplexPair();
    // Its types do not know of the second option.
    const options = { settings, maxOutstandingSettings: 1000 };
    const server = performServerHandshake(far, options);
    server.on('stream', (stream, headers) => {
      stream.on('error', () => {});
      handle(stream, headers);
    });
    server.on('error', () => {});
    const client = new DuplexClient(near);
    context.after(() => {
      server.destroy();
      near.destroy();
    });
    return { client };
  }

  async function ask(client: DuplexClient, message: RequestMessage): Promise<ReceivedResponse> {
    const head = `${message.method} ${message.path} HTTP/1.1\r\nHost: a.example\r\n${linesOf(message.fields)}`;
    const { stream, response } = client.request(head);
    client.session.sendData(stream, message.body, 0, message.body.length);
    const trailers = message.trailers.length === 0 ? '' : linesOf(message.trailers);
    client.session.endStream(stream, Buffer.from(trailers, 'latin1'));
    return response.whole;
  }

  const get: RequestMessage = {
    method: 'GET',
    path: '/',
    fields: [],
    body: Buffer.alloc(0),
    trailers: [],
  };

  test('random messages both ways, under settings that change', async (context) => {
    const random = new Random(seed + 1);
    for (let left = connections; left > 0; left--) {
      const asked = new Map<string, RequestMessage>();
      const answers = new Map<string, ResponseMessage>();
      const wrong: unknown[] = [];
      const { client } = scene(context, randomSettings(random), (stream, headers) => {
        const path = headers[':path'] ?? '';
        const expected = asked.get(path)!;
        let trailers: object = {};
        stream.on('trailers', (fields: object) => {
          trailers = fields;
        });
        if (random.below(6) === 0) stream.session?.settings(randomSettings(random));
        void bytesOf(stream)
          .then((body) => {
            assert.equal(headers[':method'], expected.method);
            assert.equal(headers[':authority'], 'a.example');
            assert.deepEqual(sorted(namedValues(headers)), sorted(expected.fields));
            assert(body.equals(expected.body), 'the body of a request');
            assert.deepEqual(namedValues(trailers), expected.trailers);
          })
          .catch((error: unknown) => wrong.push(error));
        const response = answers.get(path)!;
        if (random.below(5) === 0) stream.additionalHeaders({ ':status': 103, link: '</a.css>' });
        stream.on('wantTrailers', () => stream.sendTrailers(Object.fromEntries(response.trailers)));
        stream.respond({ ':status': response.status, ...Object.fromEntries(response.fields) }, {
          waitForTrailers: response.trailers.length > 0,
          sendDate: false,
        } as object);
        stream.end(response.body);
      });
      const all = Array.from({ length: requestsEach }, async (_, index) => {
        const message = { ...randomRequest(random), path: `/${index}` };
        const expected = randomResponse(random);
        asked.set(message.path, message);
        answers.set(message.path, expected);
        const response = await ask(client, message);
        assert.equal(response.incoming?.ended, 'Whole');
        assert.equal(response.status, expected.status);
        assert.deepEqual(
          sorted(response.incoming.fields.filter(([name]) => name !== 'date')),
          sorted(expected.fields),
        );
        assert(response.incoming.body.equals(expected.body), 'the body of a response');
        assert.deepEqual(response.incoming.trailers, expected.trailers);
      });
      await Promise.all(all);
      // A response may be whole before its request is.
      await client.untilQuiet();
      assert.deepEqual(wrong, []);
      assert.equal(client.failure, undefined);
      assert.deepEqual([client.session.openStreams, client.session.queuedBytes], [0, 0]);
    }
  });

  test('resets a stream, and we hear why', async (context) => {
    const { client } = scene(context, {}, (stream) => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM));
    const { incoming } = await ask(client, get);
    assert.equal(incoming?.ended, ErrorCode.EnhanceYourCalm);
  });

  test('breaks off a body, and we hear of it', async (context) => {
    const { client } = scene(context, {}, (stream) => {
      stream.respond({ ':status': 200, 'content-length': '10' });
      stream.write('half ', () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    });
    const { status, incoming } = await ask(client, get);
    assert.equal(status, 200);
    assert.notEqual(incoming?.ended, 'Whole');
  });

  test('interim heads come before the final one', async (context) => {
    const { client } = scene(context, {}, (stream) => {
      stream.additionalHeaders({ ':status': 103 });
      stream.additionalHeaders({ ':status': 103 });
      stream.respond({ ':status': 204 }, { endStream: true });
    });
    const { status, interim } = await ask(client, get);
    assert.deepEqual([status, interim], [204, [103, 103]]);
  });

  test('answers HEAD with the length of what it does not send', async (context) => {
    const { client } = scene(context, {}, (stream) => {
      stream.respond({ ':status': 200, 'content-length': '1000' }, { endStream: true });
    });
    const { stream, response } = client.request('HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n', true);
    client.session.endStream(stream, Buffer.alloc(0));
    const { status, incoming } = await response.whole;
    assert.deepEqual([status, incoming?.ended, incoming?.body.length], [200, 'Whole', 0]);
  });

  test('goes away: what it has taken is answered, and nothing new is begun', async (context) => {
    const { client } = scene(context, {}, (stream) => {
      stream.session?.close();
      stream.respond({ ':status': 200 });
      setImmediate(() => stream.end('done'));
    });
    const { status, incoming } = await ask(client, get);
    assert.deepEqual([status, incoming?.body.toString()], [200, 'done']);
    assert.equal(client.session.isEnding, true);
    assert.equal(client.session.hasRoom, false);
  });

  test('says how many streams it takes', async (context) => {
    const { client } = scene(context, { maxConcurrentStreams: 2 }, () => {});
    const ended = { stream: client.request('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n') };
    client.session.endStream(ended.stream.stream, Buffer.alloc(0));
    while (client.session.hasRoom) {
      await new Promise(setImmediate);
      if (client.session.openStreams < 2) client.request('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n');
    }
    assert.equal(client.session.openStreams, 2);
  });
});
