// One field line: `name: value CRLF`, strictly as RFC 9112 5 and RFC 9110 5.5 write it.
import { isFieldValue, tokenLower } from '#http/characters.ts';
import { fieldIdOf } from '#http/field.ts';
import type { FieldSection } from '#http/field-section.ts';

const CR = 13;
const LF = 10;
const SP = 32;
const HTAB = 9;
const COLON = 58;
const UNDERSCORE = 95;

export const fieldInvalid = -1;
export const fieldOverflow = -2;

/**
 * Parses the line that starts at `at` into `section` and returns the position after its LF, or fieldInvalid, or
 * fieldOverflow when the section is full. The caller knows that there is an LF at or after `at`; as no table admits
 * an LF, it is the sentinel that ends every loop, so none checks bounds.
 */
export function parseFieldLine(bytes: Buffer, at: number, section: FieldSection): number {
  let position = at;
  let hasUnderscore = false;
  while (tokenLower[bytes[position]!] !== 0) {
    if (bytes[position] === UNDERSCORE) hasUnderscore = true;
    position++;
  }
  // Also refuses obs-fold, a space before the colon and an empty name: none of them has a token and then a colon.
  if (position === at || bytes[position] !== COLON) return fieldInvalid;
  const nameEnd = position++;
  while (bytes[position] === SP || bytes[position] === HTAB) position++;
  const valueStart = position;
  while (isFieldValue[bytes[position]!] === 1) position++;
  if (bytes[position] !== CR || bytes[position + 1] !== LF) return fieldInvalid;
  let valueEnd = position;
  while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--;
  const id = fieldIdOf(bytes, at, nameEnd, hasUnderscore);
  return section.add(id, at, nameEnd, valueStart, valueEnd) ? position + 2 : fieldOverflow;
}

/** Whether the line at `at` is the empty one that ends a section. */
export function isBlankLine(bytes: Buffer, at: number): boolean {
  return bytes[at] === CR && bytes[at + 1] === LF;
}
