// What all sessions of a thread with the same limits read with: each reads one head at a time.
import { FieldSection } from '#http/field-section.ts';
import { HeaderBlock } from './header-block.ts';

export interface ReadingLimits {
  /** Of a field section, decoded. */
  readonly headBytes: number;
  readonly fields: number;
}

export abstract class SessionReading<Head, Limits extends ReadingLimits> {
  readonly limits: Limits;
  readonly head: Head;
  readonly block: HeaderBlock;
  readonly trailers: FieldSection;

  constructor(limits: Limits, head: Head) {
    this.limits = limits;
    this.head = head;
    this.block = new HeaderBlock(limits.headBytes, limits.fields);
    this.trailers = new FieldSection(limits.fields);
  }
}
