// Sections of fields for tests: from lines as they stand in a message.
import { fieldIdOf } from '#http/field.ts';
import { FieldSection } from '#http/field-section.ts';

/** A section over `Name: value` lines. */
export function fieldLines(lines: readonly string[]): FieldSection {
  const section = new FieldSection(Math.max(1, lines.length));
  section.bytes = Buffer.from(lines.map((line) => `${line}\r\n`).join(''), 'latin1');
  let at = 0;
  for (const line of lines) {
    const colon = line.indexOf(': ');
    const id = fieldIdOf(section.bytes, at, at + colon, line.slice(0, colon).includes('_'));
    section.add(id, at, at + colon, at + colon + 2, at + line.length);
    at += line.length + 2;
  }
  return section;
}
