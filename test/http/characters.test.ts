// The tables of bytes against the grammar that they stand for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hexValue, isFieldValue, isTarget, tokenLower } from '#http/characters.ts';

const codes = Array.from({ length: 256 }, (_, code) => code);

test('tokenLower is a token character in lower case, or 0', () => {
  for (const code of codes) {
    const character = String.fromCharCode(code);
    const isToken = code < 128 && /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character);
    assert.equal(tokenLower[code], isToken ? character.toLowerCase().charCodeAt(0) : 0, `byte ${code}`);
  }
});

test('isFieldValue takes HTAB, SP, visible characters and obs-text', () => {
  for (const code of codes)
    assert.equal(
      isFieldValue[code],
      code === 9 || (code >= 0x20 && code <= 0x7e) || code >= 0x80 ? 1 : 0,
      `byte ${code}`,
    );
});

test('isTarget takes visible ASCII', () => {
  for (const code of codes)
    assert.equal(isTarget[code], code >= 0x21 && code <= 0x7e ? 1 : 0, `byte ${code}`);
});

test('hexValue is the value of a hex digit, or 255', () => {
  for (const code of codes) {
    const digit = '0123456789abcdef'.indexOf(String.fromCharCode(code).toLowerCase());
    assert.equal(hexValue[code], digit < 0 ? 255 : digit, `byte ${code}`);
  }
});

test('no table takes LF, which ends every loop that reads a line', () => {
  for (const table of [tokenLower, isFieldValue, isTarget]) assert.equal(table[10], 0);
});
