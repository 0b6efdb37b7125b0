// The fields that frame a message or its connection, read the same way in requests and responses.
import type { FieldSection } from '#http/field-section.ts';

export const noContentLength = -1;
const invalidContentLength = -2;

/** Ten times the largest number of this many digits is still exact in a double. */
const maxLengthDigits = 15;

/** One or more digits and nothing else: no sign, no list, no hex, no overflow (RFC 9110 8.6). Negative for others. */
export function parseContentLength(fields: FieldSection, index: number): number {
  const { bytes } = fields;
  const start = fields.valueStart(index);
  const end = fields.valueEnd(index);
  if (start === end || end - start > maxLengthDigits) return invalidContentLength;
  let length = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 48;
    if (digit < 0 || digit > 9) return invalidContentLength;
    length = length * 10 + digit;
  }
  return length;
}

export interface ConnectionFacts {
  keepAlive: boolean;
  /** Some line said close: it wins over keep-alive, whatever their order (RFC 9112 9.3). */
  closes: boolean;
  minorVersion: number;
  connectionNames: readonly string[];
}

/** The entries of a comma-separated list; only SP and HTAB surround them (RFC 9110 5.6.1). */
export function listOf(value: string): readonly string[] {
  return value.split(',').map((entry) => entry.replaceAll(/^[ \t]+|[ \t]+$/g, ''));
}

/** The fields whose names are never options: a peer cannot have them removed by naming them (RFC 9110 7.6.1). */
const neverNamed: readonly string[] = [
  'close',
  'keep-alive',
  'host',
  'content-length',
  'transfer-encoding',
  'authorization',
  'forwarded',
  'x-real-ip',
];

/** Applies one Connection value: persistence, and the names of fields that end here. */
export function readConnection(facts: ConnectionFacts, value: string): void {
  // Nearly every request that has the field has one of these two values.
  if (value === 'keep-alive' || value === 'Keep-Alive') {
    if (facts.minorVersion === 0) facts.keepAlive = !facts.closes;
    return;
  }
  const options = listOf(value.toLowerCase());
  if (options.includes('close')) facts.closes = true;
  if (facts.closes) facts.keepAlive = false;
  else if (facts.minorVersion === 0 && options.includes('keep-alive')) facts.keepAlive = true;
  const names = options.filter(
    (option) => option !== '' && !neverNamed.includes(option) && !option.startsWith('x-forwarded-'),
  );
  if (names.length > 0) facts.connectionNames = [...facts.connectionNames, ...names];
}
