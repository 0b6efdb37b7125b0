// RequestHeaderModifier and ResponseHeaderModifier: which fields are dropped, and the lines that take their place.
import { nameIsDisguised } from '#http/field.ts';
import type { FieldSection } from '#http/field-section.ts';
import type { HeaderChanges as Model } from '#model/filters.ts';

export class HeaderChanges {
  /** `Name: value CRLF` of every field that is set or added, ready to write. */
  readonly lines: string;
  /** Lower-case. */
  readonly #dropped: readonly string[];

  constructor({ remove, set, add }: Model) {
    this.#dropped = [...new Set([...remove, ...set.map(({ name }) => name.toLowerCase())])];
    this.lines = [...set, ...add].map(({ name, value }) => `${name}: ${value}\r\n`).join('');
  }

  /**
   * Whether field `index` of a message makes way: it is removed, or set to something else. So does X_User for X-User, which
   * CGI and its like take for the same.
   */
  drops(fields: FieldSection, index: number): boolean {
    const start = fields.nameStart(index);
    const end = fields.nameEnd(index);
    for (const name of this.#dropped) if (nameIsDisguised(fields.bytes, start, end, name)) return true;
    return false;
  }

  /** Whether a field of this lower-case name makes way. */
  dropsName(name: string): boolean {
    return this.#dropped.includes(name);
  }
}
