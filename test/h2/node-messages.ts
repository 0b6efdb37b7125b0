// Random messages for Node's http2 and for us: heads, bodies and trailers that both must agree on.
import type { Readable } from 'node:stream';
import type { Random } from '../fuzz/random.ts';
import type { NamedValue } from './field-blocks.ts';

export interface Message {
  readonly fields: readonly NamedValue[];
  readonly body: Buffer;
  readonly trailers: readonly NamedValue[];
}

export interface RequestMessage extends Message {
  readonly method: string;
  readonly path: string;
}

export interface ResponseMessage extends Message {
  readonly status: number;
}

/** A few come again and again, which is what tables are for; some must never enter one. */
const usualFields: readonly NamedValue[] = [
  ['content-type', 'text/plain'],
  ['cache-control', 'no-cache'],
  ['x-usual', 'the same every time'],
  ['accept-language', 'de, en;q=0.5'],
  ['authorization', 'Bearer abc'],
  ['x-long', 'v'.repeat(700)],
];
const sizes: readonly number[] = [0, 0, 1, 10, 500, 16_383, 16_384, 16_385, 70_000, 300_000];
const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';
const valueCharacters = `${letters} ${letters.toUpperCase()}!"#$%&'()*+,-./:;<=>?@[]^_{|}~`;

function text(random: Random, characters: string, most: number): string {
  const length = 1 + random.below(most);
  return Array.from({ length }, () => characters[random.below(characters.length)]).join('');
}

function fieldsOf(random: Random): readonly NamedValue[] {
  const usual = usualFields.filter(() => random.below(2) === 0);
  const own = Array.from({ length: random.below(4) }, (_, index): NamedValue => {
    const value = text(random, valueCharacters, 60).trim();
    return [`x-${text(random, letters, 12)}-${index}`, value];
  });
  return [...usual, ...own];
}

function bodyOf(random: Random): Buffer {
  const seed = random.below(251);
  return Buffer.from(Uint8Array.from({ length: random.oneOf(sizes) }, (_, at) => (seed + 31 * at) % 253));
}

function trailersOf(random: Random): readonly NamedValue[] {
  return random.below(3) === 0 ? [['x-sum', text(random, letters, 30)]] : [];
}

export function randomRequest(random: Random): RequestMessage {
  const method = random.oneOf(['GET', 'POST', 'PUT', 'PATCH']);
  const hasBody = method !== 'GET';
  return {
    method,
    path: `/${text(random, letters, 30)}`,
    fields: fieldsOf(random),
    body: hasBody ? bodyOf(random) : Buffer.alloc(0),
    trailers: hasBody ? trailersOf(random) : [],
  };
}

export function randomResponse(random: Random): ResponseMessage {
  return {
    status: random.oneOf([200, 201, 404, 418, 500, 503]),
    fields: fieldsOf(random),
    body: bodyOf(random),
    trailers: trailersOf(random),
  };
}

/** As HTTP/1 writes them, with the empty line. */
export function linesOf(fields: readonly NamedValue[]): string {
  return `${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

/** Of Node's headers: the fields without pseudo-fields and what Node adds. */
export function namedValues(headers: object): readonly NamedValue[] {
  return Object.entries(headers)
    .filter(([name]) => !name.startsWith(':') && name !== 'date')
    .map(([name, value]) => [name, String(value)]);
}

export function sorted(fields: readonly NamedValue[]): readonly NamedValue[] {
  return fields.toSorted(([left], [right]) => (left < right ? -1 : 1));
}

/** What comes on a stream of Node's from now on; resolves when it ends or closes. */
export function bytesOf(stream: Readable): Promise<Buffer> {
  const pieces: Buffer[] = [];
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  return new Promise((resolve) => {
    const onOver = (): void => resolve(Buffer.concat(pieces));
    stream.on('end', onOver);
    stream.on('close', onOver);
  });
}
