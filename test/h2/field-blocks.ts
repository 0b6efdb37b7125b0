// Field blocks for tests: written byte by byte without our encoder, and read back as names and values.
import { FieldSection } from '#http/field-section.ts';
import { HeaderBlock, Pseudo } from '#h2/header-block.ts';
import type { HpackDecoder } from '#h2/hpack-decoder.ts';

export type NamedValue = readonly [name: string, value: string];

/** What RFC 7541 prints: hex digits, with spaces wherever they help. */
export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
}

/** RFC 7541 5.1: `value` in the low bits `prefix`, behind the bits `first`. */
export function integer(first: number, prefix: number, value: number): Buffer {
  if (value < prefix) return Buffer.from([first | value]);
  const bytes = [first | prefix];
  let rest = value - prefix;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

/** Without the Huffman code. */
export function string(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([integer(0, 0x7f, bytes.length), bytes]);
}

/** A field with all its letters, which no table has heard of; `first` says whether one is to remember it. */
export function literal(name: string, value: string, first: 0x40 | 0x00 | 0x10 = 0x00): Buffer {
  return Buffer.concat([Buffer.from([first]), string(name), string(value)]);
}

export function indexed(index: number): Buffer {
  return integer(0x80, 0x7f, index);
}

export function tableSize(bytes: number): Buffer {
  return integer(0x20, 0x1f, bytes);
}

export interface DecodedBlock {
  /** False: the compression is broken. */
  readonly isSound: boolean;
  readonly isMalformed: boolean;
  readonly isTooLarge: boolean;
  /** Pseudo-fields first, in the order of their names; then the others as they came. */
  readonly fields: readonly NamedValue[];
}

const usualBytes = 65_536;
const usualFields = 100;

export function newBlock(maxBytes = usualBytes, maxFields = usualFields): HeaderBlock {
  return new HeaderBlock(maxBytes, maxFields);
}

export function decodeBlock(decoder: HpackDecoder, bytes: Buffer, block = newBlock()): DecodedBlock {
  const section = new FieldSection(usualFields);
  block.begin(section, 0);
  const isSound = decoder.decode(bytes, 0, bytes.length, block);
  return {
    isSound,
    isMalformed: block.isMalformed,
    isTooLarge: block.isTooLarge,
    fields: [...pseudoFields(block), ...regularFields(section)],
  };
}

export function pseudoFields(block: HeaderBlock): readonly NamedValue[] {
  const all: readonly (readonly [mark: number, name: string, value: string])[] = [
    [Pseudo.Authority, ':authority', block.authority],
    [Pseudo.Method, ':method', block.method],
    [Pseudo.Path, ':path', block.path],
    [Pseudo.Protocol, ':protocol', block.protocol],
    [Pseudo.Scheme, ':scheme', block.scheme],
    [Pseudo.Status, ':status', block.status],
  ];
  return all.flatMap(([mark, name, value]) => (block.hasPseudo(mark) ? [[name, value] as const] : []));
}

export function regularFields(section: FieldSection): readonly NamedValue[] {
  return Array.from({ length: section.count }, (_, index) => [section.name(index), section.value(index)]);
}

/** The first index of the dynamic table. */
const firstDynamic = 62;

/** What the table of `decoder` holds, newest first: to ask for an entry does not change it. */
export function tableOf(decoder: HpackDecoder): readonly string[] {
  const lines: string[] = [];
  for (let index = firstDynamic; ; index++) {
    const { isSound, isMalformed, fields } = decodeBlock(decoder, indexed(index));
    if (!isSound) return lines;
    lines.push(isMalformed ? '(malformed)' : fields.map(([name, value]) => `${name}: ${value}`).join());
  }
}
