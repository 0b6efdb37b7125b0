// Content-Length, the same in every version of HTTP.
import type { FieldSection } from './field-section.ts';

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
