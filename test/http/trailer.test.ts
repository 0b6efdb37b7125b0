// Which trailers may be passed on: nothing that frames, routes, authenticates or describes (RFC 9110 6.5.1).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayTrail } from '#http/trailer.ts';
import { fieldLines } from './field-lines.ts';

function passes(...names: readonly string[]): readonly boolean[] {
  const section = fieldLines(names.map((name) => `${name}: x`));
  return names.map((_, index) => mayTrail(section, index));
}

test('what is made while the body is sent may come after it', () => {
  const names = ['grpc-status', 'Grpc-Message', 'Server-Timing', 'ETag', 'Digest', 'X-Checksum', 'x'];
  assert.deepEqual(
    passes(...names),
    names.map(() => true),
  );
});

const refused: readonly (readonly [what: string, names: readonly string[]])[] = [
  ['frames', ['Content-Length', 'Transfer-Encoding', 'Trailer']],
  ['routes', ['Host', 'X-Forwarded-For', 'x-forwarded-anything', 'Forwarded', 'X-Real-IP', 'Max-Forwards']],
  ['says who the client is', ['X-Forwarded-Client-Cert', 'X-Client-Verify']],
  [
    'belongs to a connection',
    ['Connection', 'Keep-Alive', 'TE', 'Upgrade', 'Proxy-Connection', 'HTTP2-Settings'],
  ],
  ['authenticates', ['Authorization', 'WWW-Authenticate', 'Proxy-Authorization', 'Cookie', 'Set-Cookie']],
  ['asks for something', ['Expect', 'Range', 'If-Match', 'If-None-Match', 'If-Modified-Since', 'If-Range']],
  ['controls', ['Cache-Control', 'Age', 'Expires', 'Date', 'Location', 'Retry-After', 'Vary']],
  ['describes the content', ['Content-Type', 'Content-Encoding', 'Content-Range']],
  ['is written by the proxy', ['X-Request-Id']],
  [
    'a backend may take for one of these',
    ['X_Forwarded_For', 'content_length', 'X_REQUEST_ID', 'X_Client_Verify', 'X-Forwarded_Client-Cert'],
  ],
];

for (const [what, names] of refused)
  test(`what ${what} may not, in whatever case`, () => {
    for (const each of [
      names,
      names.map((name) => name.toLowerCase()),
      names.map((name) => name.toUpperCase()),
    ])
      assert.deepEqual(
        each.filter((_, index) => passes(...each)[index]),
        [],
      );
  });

test('a longer or shorter name is another one', () => {
  assert.deepEqual(passes('cookie2', 'cooki', 'x-cookie', 'content-typ', 'ages'), [
    true,
    true,
    true,
    true,
    true,
  ]);
});
