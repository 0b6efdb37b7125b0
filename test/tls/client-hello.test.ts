// What a ClientHello asks for is read from however many records and reads it comes in; what is doubtful is refused with
// the alert that names it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import { connect } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import fc from 'fast-check';
import { Alert, fatalAlert } from '#tls/alert.ts';
import { mostHelloBytes, parseClientHello } from '#tls/client-hello.ts';
import type { ClientHello } from '#tls/client-hello.ts';
import {
  helloMessage,
  hostName,
  inRecords,
  protocols,
  serverName,
  vector16,
  vector8,
  versions,
} from './hello-bytes.ts';
import type { HelloShape } from './hello-bytes.ts';

const plainHello: ClientHello = {
  serverName: 'shop.example',
  protocols: ['h2', 'http/1.1'],
  version: 0x0304,
};

test('the name, the protocols and the version are read', () => {
  assert.deepEqual(parseClientHello(inRecords(helloMessage())), { kind: 'Hello', hello: plainHello });
});

test('what follows in the same read does not matter', () => {
  const bytes = Buffer.concat([inRecords(helloMessage()), Buffer.from('anything')]);
  assert.deepEqual(parseClientHello(bytes), { kind: 'Hello', hello: plainHello });
});

test('it is incomplete to its last byte, in however many records it comes', () => {
  const message = helloMessage();
  for (const most of [16_384, 64, 7]) {
    const bytes = inRecords(message, most);
    for (let length = 0; length < bytes.length; length++)
      assert.deepEqual(
        parseClientHello(bytes.subarray(0, length)),
        { kind: 'Incomplete' },
        `${most}:${length}`,
      );
    assert.deepEqual(parseClientHello(bytes), { kind: 'Hello', hello: plainHello });
  }
});

const readable: Readonly<Record<string, readonly [Partial<HelloShape>, ClientHello]>> = {
  'a name in capitals': [
    { extensions: [serverName('Shop.EXAMPLE')] },
    { serverName: 'shop.example', protocols: [], version: 0x0303 },
  ],
  'a name with the dot of the root': [
    { extensions: [serverName('shop.example.')] },
    { serverName: 'shop.example', protocols: [], version: 0x0303 },
  ],
  'a name with an underscore': [
    { extensions: [serverName('a_b.example')] },
    { serverName: 'a_b.example', protocols: [], version: 0x0303 },
  ],
  'no name': [{ extensions: [versions(0x0304)] }, { serverName: undefined, protocols: [], version: 0x0304 }],
  'no extensions at all': [
    { extensions: undefined },
    { serverName: undefined, protocols: [], version: 0x0303 },
  ],
  'an empty list of extensions': [
    { extensions: [] },
    { serverName: undefined, protocols: [], version: 0x0303 },
  ],
  'an old version': [
    { legacyVersion: 0x0301, extensions: [] },
    { serverName: undefined, protocols: [], version: 0x0301 },
  ],
  'a version of the field that is beyond TLS 1.2': [
    { legacyVersion: 0x0304, extensions: [] },
    { serverName: undefined, protocols: [], version: 0x0303 },
  ],
  'versions that mean nothing': [
    { extensions: [versions(0xfafa, 0x7f1c, 0x0303)] },
    { serverName: undefined, protocols: [], version: 0x0303 },
  ],
  'extensions that nobody knows': [
    { extensions: [[0x0a0a, Buffer.alloc(0)], serverName('a.example'), [0xfe0d, Buffer.alloc(300, 1)]] },
    { serverName: 'a.example', protocols: [], version: 0x0303 },
  ],
};

for (const [what, [shape, hello]] of Object.entries(readable))
  test(`it may have ${what}`, () => {
    assert.deepEqual(parseClientHello(inRecords(helloMessage(shape))), { kind: 'Hello', hello });
  });

const malformed: Readonly<Record<string, readonly [Buffer, Alert]>> = {
  'a session id of 33 bytes': [hello({ sessionId: Buffer.alloc(33) }), Alert.DecodeError],
  'no cipher suite': [hello({ suites: Buffer.alloc(0) }), Alert.DecodeError],
  'half a cipher suite': [hello({ suites: Buffer.alloc(3) }), Alert.DecodeError],
  'no compression method': [hello({ compression: Buffer.alloc(0) }), Alert.DecodeError],
  'bytes after its extensions': [hello({ rest: Buffer.from([0]) }), Alert.DecodeError],
  'an extension twice': [
    hello({ extensions: [serverName('a.example'), serverName('b.example')] }),
    Alert.IllegalParameter,
  ],
  'an unknown extension twice': [
    hello({
      extensions: [
        [7, Buffer.alloc(0)],
        [7, Buffer.alloc(0)],
      ],
    }),
    Alert.IllegalParameter,
  ],
  'two names': [
    hello({ extensions: [[0, vector16(Buffer.concat([hostName('a.example'), hostName('b.example')]))]] }),
    Alert.DecodeError,
  ],
  'no name in its list of names': [
    hello({ extensions: [[0, vector16(Buffer.alloc(0))]] }),
    Alert.DecodeError,
  ],
  'a name of another type': [
    hello({ extensions: [[0, vector16(Buffer.from([1, 0, 1, 97]))]] }),
    Alert.DecodeError,
  ],
  'an empty name': [hello({ extensions: [serverName('')] }), Alert.IllegalParameter],
  'a name with a NUL': [hello({ extensions: [serverName('a.example\0.b')] }), Alert.IllegalParameter],
  'a name with a space': [hello({ extensions: [serverName('a b')] }), Alert.IllegalParameter],
  'an IPv6 address for a name': [hello({ extensions: [serverName('::1')] }), Alert.IllegalParameter],
  'an empty label': [hello({ extensions: [serverName('a..b')] }), Alert.IllegalParameter],
  'a name that is too long': [
    hello({ extensions: [serverName('a.'.repeat(127) + 'b')] }),
    Alert.IllegalParameter,
  ],
  'bytes after its name': [
    hello({ extensions: [[0, Buffer.concat([vector16(hostName('a.example')), Buffer.from([0])])]] }),
    Alert.DecodeError,
  ],
  'an empty list of protocols': [hello({ extensions: [protocols()] }), Alert.DecodeError],
  'a protocol without a name': [hello({ extensions: [protocols('h2', '')] }), Alert.DecodeError],
  'bytes after its protocols': [
    hello({ extensions: [[16, Buffer.concat([vector16(vector8(Buffer.from('h2'))), Buffer.from([0])])]] }),
    Alert.DecodeError,
  ],
  'no version at all': [hello({ extensions: [versions()] }), Alert.ProtocolVersion],
  'no version that means anything': [hello({ extensions: [versions(0xfafa)] }), Alert.ProtocolVersion],
  'half a version': [hello({ extensions: [[43, Buffer.from([1, 3])]] }), Alert.DecodeError],
  'bytes after its versions': [hello({ extensions: [[43, Buffer.from([2, 3, 4, 0])]] }), Alert.DecodeError],
  'an extension that ends too early': [
    hello({ extensions: undefined, rest: Buffer.from([0, 4, 0, 0, 0, 9]) }),
    Alert.DecodeError,
  ],
  'another message': [inRecords(Buffer.from([2, 0, 0, 1, 0])), Alert.UnexpectedMessage],
  'a length beyond all reason': [inRecords(Buffer.from([1, 1, 0, 0])), Alert.DecodeError],
  'a record that is empty': [Buffer.from([22, 3, 1, 0, 0]), Alert.UnexpectedMessage],
  'a record that is too long': [Buffer.from([22, 3, 1, 0x40, 1]), Alert.RecordOverflow],
  'too many pieces': [inRecords(helloMessage(), 1), Alert.DecodeError],
  'a record of another kind between its own': [
    Buffer.concat([inRecords(helloMessage().subarray(0, 9)), fatalAlert(Alert.InternalError)]),
    Alert.UnexpectedMessage,
  ],
};

for (const [what, [bytes, alert]] of Object.entries(malformed))
  test(`it is refused for ${what}`, () => {
    const read = parseClientHello(bytes);
    assert.equal(read.kind, 'Refused', JSON.stringify(read));
    assert.equal(read.kind === 'Refused' && read.alert, alert);
  });

test('what is no TLS is told from what is', () => {
  for (const text of [
    'GET / HTTP/1.1\r\n',
    'PRI * HTTP/2.0',
    'SSH-2.0-x',
    '\x80\x2e\x01\x03\x01',
    '\x16\x02',
  ])
    assert.deepEqual(parseClientHello(Buffer.from(text, 'latin1')), { kind: 'NotTls' }, text);
});

test('the longest one is read, and a byte more is refused', () => {
  const empty = helloMessage({ extensions: [[21, Buffer.alloc(0)]] }).length;
  const padded = (bytes: number): Buffer =>
    inRecords(helloMessage({ extensions: [[21, Buffer.alloc(bytes - empty)]] }));
  assert.equal(parseClientHello(padded(mostHelloBytes)).kind, 'Hello');
  assert.equal(parseClientHello(padded(mostHelloBytes + 1)).kind, 'Refused');
});

test('any bytes are read without throwing, and a part of them is no more decided than they are', () => {
  const base = inRecords(helloMessage());
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { maxLength: 6 }),
      fc.nat(base.length),
      (edits, cut) => {
        const bytes = Buffer.from(base);
        for (const [at, value] of edits) bytes[at] = value;
        const whole = parseClientHello(bytes);
        const part = parseClientHello(bytes.subarray(0, cut));
        if (part.kind !== 'Incomplete') assert.deepEqual(part, whole);
      },
    ),
    { numRuns: 3000 },
  );
});

test("Node's own client is understood", async () => {
  const cases: readonly (readonly [ConnectionOptions, Partial<ClientHello>])[] = [
    [{ servername: 'shop.example', ALPNProtocols: ['h2', 'http/1.1'] }, plainHello],
    [
      { servername: 'a.example', maxVersion: 'TLSv1.2' },
      { serverName: 'a.example', version: 0x0303 },
    ],
    [{ servername: '' }, { serverName: undefined, protocols: [], version: 0x0304 }],
  ];
  for (const [options, expected] of cases) {
    const read = parseClientHello(await helloOf(options));
    assert.equal(read.kind, 'Hello');
    const found = read.kind === 'Hello' ? read.hello : plainHello;
    assert.deepEqual({ ...found, ...expected }, found);
  }
});

/** The first bytes that a client sends. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = connect({ ...options, host: '127.0.0.1', port, rejectUnauthorized: false });
  client.on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [Socket];
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  client.destroy();
  server.close();
  return bytes;
}

function hello(shape: Partial<HelloShape>): Buffer {
  return inRecords(helloMessage(shape));
}
