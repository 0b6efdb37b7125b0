// Generators of valid messages, each with the events that a parser must report for it.
import * as fc from 'fast-check';
import { describeBytes } from './bytes-notation.ts';
import type { EventLog } from './event-log.ts';

export interface Message {
  readonly bytes: Buffer;
  /** Adds what must be reported. */
  readonly describe: (log: EventLog) => void;
}

const tokenCharacters = Array.from(
  "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
);
const targetCharacters = Array.from({ length: 94 }, (_, index) => String.fromCharCode(0x21 + index));
const valueBytes = Array.from({ length: 256 }, (_, code) => code).filter(
  (code) => code === 9 || (code >= 32 && code !== 127),
);

function text(characters: readonly string[], minLength: number, maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...characters), minLength, maxLength });
}

const whitespace = text([' ', '\t'], 0, 3);

export const content: fc.Arbitrary<Buffer> = fc
  .uint8Array({ minLength: 1, maxLength: 60 })
  .map((bytes) => Buffer.from(bytes));

interface FieldLine {
  readonly line: string;
  readonly event: string;
}

/** The prefix keeps the name from being one with a meaning. */
const fieldLine: fc.Arbitrary<FieldLine> = fc
  .tuple(
    text(tokenCharacters, 0, 12),
    fc.array(fc.constantFrom(...valueBytes), { maxLength: 40 }),
    whitespace,
    whitespace,
  )
  .map(([rest, codes, before, after]) => {
    const value = Buffer.from(codes)
      .toString('latin1')
      .replaceAll(/^[ \t]+|[ \t]+$/g, '');
    const described = describeBytes(Buffer.from(value, 'latin1'));
    return {
      line: `T-${rest}:${before}${value}${after}\r\n`,
      event: `field T-${rest}: ${described}`.trimEnd(),
    };
  });

export const fieldLines: fc.Arbitrary<readonly FieldLine[]> = fc.array(fieldLine, { maxLength: 6 });

export interface Body {
  /** The word of the event. */
  readonly framing: string;
  /** The field that announces it, if any. */
  readonly field: readonly FieldLine[];
  readonly bytes: Buffer;
  readonly content: Buffer;
  /** Events. */
  readonly trailers?: readonly string[];
}

function announced(name: string, value: string): readonly FieldLine[] {
  return [{ line: `${name}: ${value}\r\n`, event: `field ${name}: ${value}` }];
}

export const lengthBody: fc.Arbitrary<Body> = fc.uint8Array({ maxLength: 120 }).map((codes) => ({
  framing: `framing=length:${codes.length}`,
  field: announced('Content-Length', String(codes.length)),
  bytes: Buffer.from(codes),
  content: Buffer.from(codes),
}));

const chunk = fc
  .tuple(content, fc.nat(3), fc.boolean(), fc.option(text(tokenCharacters, 0, 20), { nil: undefined }))
  .map(([bytes, zeros, isUpper, extension]) => {
    const digits = bytes.length.toString(16);
    const size = '0'.repeat(zeros) + (isUpper ? digits.toUpperCase() : digits);
    const head = extension === undefined ? `${size}\r\n` : `${size};${extension}\r\n`;
    return {
      content: bytes,
      bytes: Buffer.concat([Buffer.from(head, 'latin1'), bytes, Buffer.from('\r\n')]),
    };
  });

export const chunkedBody: fc.Arbitrary<Body> = fc
  .tuple(fc.array(chunk, { maxLength: 4 }), fieldLines)
  .map(([chunks, trailers]) => {
    const end = `0\r\n${trailers.map(({ line }) => line).join('')}\r\n`;
    return {
      framing: 'framing=chunked',
      field: announced('Transfer-Encoding', 'chunked'),
      bytes: Buffer.concat([...chunks.map(({ bytes }) => bytes), Buffer.from(end, 'latin1')]),
      content: Buffer.concat(chunks.map((each) => each.content)),
      trailers: trailers.map(({ event }) => event.replace('field', 'trailer')),
    };
  });

export const noBody: fc.Arbitrary<Body> = fc.constant({
  framing: 'framing=none',
  field: [],
  bytes: Buffer.alloc(0),
  content: Buffer.alloc(0),
});

export function message(startLine: string, event: string, fields: readonly FieldLine[], body: Body): Message {
  const lines = [...fields, ...body.field];
  const head = `${startLine}\r\n${lines.map(({ line }) => line).join('')}\r\n`;
  return {
    bytes: Buffer.concat([Buffer.from(head, 'latin1'), body.bytes]),
    describe: (log) => {
      for (const line of [event, ...lines.map((each) => each.event)]) log.line(line);
      if (body.content.length > 0) log.body(body.content, 0, body.content.length);
      for (const line of ['end', ...(body.trailers ?? [])]) log.line(line);
    },
  };
}

export const request: fc.Arbitrary<Message> = fc
  .tuple(
    fc.oneof(fc.constantFrom('GET', 'POST', 'PATCH'), text(tokenCharacters, 1, 24)),
    text(targetCharacters, 0, 50),
    fieldLines,
    fieldLines,
    fc.oneof(noBody, lengthBody, chunkedBody),
  )
  .map(([method, rest, before, after, body]) => {
    const host = { line: 'Host: a.example\r\n', event: 'field Host: a.example' };
    const described = describeBytes(Buffer.from(`/${rest}`, 'latin1'));
    return message(
      `${method} /${rest} HTTP/1.1`,
      `head ${method} ${described} HTTP/1.1 host=a.example ${body.framing} keep-alive`,
      [...before, host, ...after],
      body,
    );
  });

/** Where to cut: positions as fractions, so that they shrink well and fit any length. */
export const fractions: fc.Arbitrary<readonly number[]> = fc.array(
  fc.double({ min: 0, max: 1, noNaN: true }),
  { maxLength: 12 },
);

export function cutsAt(parts: readonly number[], length: number): readonly number[] {
  return parts.map((part) => Math.floor(part * length)).toSorted((left, right) => left - right);
}
