import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cookieValue, cookieValues } from '#http/cookie.ts';

test('a cookie is found by its whole name', () => {
  const cookies = 'ab=1; a=2;b=3 ;  c=;d; a=9';
  assert.equal(cookieValue(cookies, 'a'), '2');
  assert.equal(cookieValue(cookies, 'ab'), '1');
  assert.equal(cookieValue(cookies, 'b'), '3');
  assert.equal(cookieValue(cookies, 'c'), '');
  assert.equal(cookieValue(cookies, 'd'), undefined);
  assert.equal(cookieValue(cookies, 'e'), undefined);
  assert.equal(cookieValue(undefined, 'a'), undefined);
  assert.equal(cookieValue('x="a=1"', 'a'), undefined);
  assert.equal(cookieValue('a=b=c', 'a'), 'b=c');
});

test('all cookies of one name, but not more than are asked for', () => {
  assert.deepEqual(cookieValues('a=1; b=2; a=3;a=4', 'a', 9), ['1', '3', '4']);
  assert.deepEqual(cookieValues('a=1; b=2; a=3;a=4', 'a', 2), ['1', '3']);
  assert.deepEqual(cookieValues(undefined, 'a', 2), []);
});
