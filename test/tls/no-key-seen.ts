// Proves that a value, however it is printed, shows nothing of a private key.
import assert from 'node:assert/strict';
import { format, inspect } from 'node:util';

/** Short lines are in many texts, by chance. */
const leastCharacters = 24;

/** The base64 lines of every private key of a PEM text, certificates left out. */
export function keyLines(text: string): readonly string[] {
  return text
    .replaceAll(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g, '')
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line.length >= leastCharacters && /^[A-Za-z0-9+/=]+$/.test(line));
}

export function assertNoKeySeen(value: object, keyText: string): void {
  const whole = inspect(value, { depth: Infinity, showHidden: true });
  const shown = [format('%s', value), format('%o', value), JSON.stringify(value), whole].join('\n');
  for (const line of keyLines(keyText)) assert(!shown.includes(line), 'a line of the key is seen');
}
