// Tokens of sessions: known again, believed only as they were made, and renewed in time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { SessionPersistence } from '#model/filters.ts';
import { Sessions } from '#proxy/session.ts';

const key = Buffer.alloc(32, 7).toString('base64');
const sessions = new Sessions(key);
const nowS = 1_800_000_000;

const cookie: SessionPersistence = {
  source: 'Cookie',
  name: 'flint-1',
  lifetime: 'Session',
  absoluteMs: 0,
  idleMs: 0,
};

function tokenIn(line: string): string {
  return /^(?:Set-Cookie: [^=]+=|[^:]+: )([\w-]+)/.exec(line)?.[1] ?? '';
}

test('a new client gets a cookie, and is known by it to any process with the same key', () => {
  const session = sessions.recall([], cookie, nowS);
  const line = sessions.lineFor(session, cookie, 42, true, nowS);
  assert.match(line, /^Set-Cookie: flint-1=[\w-]{64}; Path=\/; HttpOnly; SameSite=Lax; Secure\r\n$/);
  const again = new Sessions(key).recall([tokenIn(line)], cookie, nowS + 5);
  assert.deepEqual([again.id, again.key, again.endpoint, again.begunS], [session.id, session.key, 42, nowS]);
  assert.equal(sessions.lineFor(again, cookie, 42, true, nowS + 5), '', 'nothing new');
  assert.notEqual(sessions.lineFor(again, cookie, 43, true, nowS + 5), '', 'another endpoint');
});

test('in the clear it is not Secure, and it lasts as long as the session where it is to', () => {
  const permanent: SessionPersistence = { ...cookie, lifetime: 'Permanent', absoluteMs: 3_600_000 };
  const session = sessions.recall([], permanent, nowS);
  const line = sessions.lineFor(session, permanent, 1, false, nowS + 600);
  assert.match(line, /; Path=\/; HttpOnly; SameSite=Lax; Max-Age=3000\r\n$/);
});

test('a field of its own instead of a cookie', () => {
  const header: SessionPersistence = { ...cookie, source: 'Header', name: 'X-Session' };
  const line = sessions.lineFor(sessions.recall([], header, nowS), header, 1, true, nowS);
  assert.match(line, /^X-Session: [\w-]{64}\r\n$/);
});

test('what was not made here is not believed, nor what was made for another rule', () => {
  const token = tokenIn(sessions.lineFor(sessions.recall([], cookie, nowS), cookie, 9, true, nowS));
  const endpointOf = (text: string, terms = cookie, by = sessions): number =>
    by.recall([text], terms, nowS).endpoint;
  assert.equal(endpointOf(token), 9);
  assert.equal(endpointOf(token, { ...cookie, name: 'flint-2' }), 0);
  assert.equal(endpointOf(token, cookie, new Sessions(Buffer.alloc(32, 8).toString('base64'))), 0);
  for (let at = 0; at < token.length; at++) {
    const other = token[at] === 'A' ? 'B' : 'A';
    assert.equal(endpointOf(token.slice(0, at) + other + token.slice(at + 1)), 0, `character ${at}`);
  }
  fc.assert(fc.property(fc.string({ maxLength: 100 }), (text) => endpointOf(text) === 0));
  fc.assert(
    fc.property(fc.stringMatching(/^[\w-]{64}$/), (text) => text === token || endpointOf(text) === 0),
  );
});

test('tokens of one session cannot be told to be so, and hide the endpoint', () => {
  const session = sessions.recall([], cookie, nowS);
  const tokens = Array.from({ length: 50 }, () => tokenIn(sessions.lineFor(session, cookie, 77, true, nowS)));
  assert.equal(new Set(tokens).size, 50);
});

test('sessions end by age and by silence, and a busy client does not lose its own', () => {
  const terms: SessionPersistence = { ...cookie, absoluteMs: 100_000, idleMs: 20_000 };
  let session = sessions.recall([], terms, nowS);
  const begun = session.id;
  let token = tokenIn(sessions.lineFor(session, terms, 5, true, nowS));
  for (let second = 1; second < 100; second++) {
    session = sessions.recall([token], terms, nowS + second);
    assert.deepEqual(session.id, begun, `after ${second} s`);
    const line = sessions.lineFor(session, terms, 5, true, nowS + second);
    if (line !== '') token = tokenIn(line);
  }
  assert.notDeepEqual(sessions.recall([token], terms, nowS + 100).id, begun, 'it is too old');
  const idle = tokenIn(sessions.lineFor(session, terms, 6, true, nowS + 30));
  assert.deepEqual(sessions.recall([idle], terms, nowS + 49).id, begun);
  assert.notDeepEqual(sessions.recall([idle], terms, nowS + 50).id, begun, 'it was silent for too long');
});

test('of several cookies of its name the one that holds is believed, wherever it stands', () => {
  const session = sessions.recall([], cookie, nowS);
  const token = tokenIn(sessions.lineFor(session, cookie, 9, true, nowS));
  const foreign = token.replace(/^./, token.startsWith('A') ? 'B' : 'A');
  for (const tokens of [
    [token, foreign],
    [foreign, token],
    ['', 'x', token],
  ])
    assert.equal(sessions.recall(tokens, cookie, nowS).endpoint, 9);
});
