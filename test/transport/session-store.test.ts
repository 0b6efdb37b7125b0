// Sessions of servers: bounded in number and in time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionStore } from '#transport/session-store.ts';

const minuteMs = 60_000;
const session = Buffer.from('session');

test('a session is kept for five minutes after its server was verified, however often it is renewed', () => {
  const store = new SessionStore();
  store.set('a', { session, verifiedMs: 0 });
  store.set('a', { session: Buffer.from('renewed'), verifiedMs: 0 });
  assert.equal(String(store.get('a', 5 * minuteMs)?.session), 'renewed');
  assert.equal(store.get('a', 5 * minuteMs + 1), undefined);
  assert.equal(store.get('b', 0), undefined);
});

test('beyond 256 servers the one that was kept longest ago is forgotten', () => {
  const store = new SessionStore();
  for (let server = 0; server < 256; server++) store.set(String(server), { session, verifiedMs: 0 });
  store.set('0', { session, verifiedMs: 0 });
  assert.notEqual(store.get('1', 0), undefined);
  store.set('new', { session, verifiedMs: 0 });
  assert.equal(store.get('1', 0), undefined);
  assert.notEqual(store.get('0', 0), undefined);
});
