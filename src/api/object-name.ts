// Names of other objects, where they are optional.
import type { FieldReader } from './field-reader.ts';

export function readName(reader: FieldReader, key: string, grammar: RegExp): string | undefined {
  const name = reader.string(key);
  if (name !== undefined && (name.length > 253 || !grammar.test(name)))
    reader.refuse(key, `"${name}" is no name that fits here`);
  return name;
}
