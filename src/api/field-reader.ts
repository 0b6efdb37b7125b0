// Reads typed fields out of unknown values and collects a Problem, with its place, for each that does not fit.
import type { Problem } from './problem.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** An object of a manifest: neither a list nor null. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function nounFor(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/**
 * One object of a manifest and the place it stands at. Readers return undefined for an absent field and for a wrong
 * one; only the wrong one leaves a Problem behind, so a caller parses on and reports everything at once.
 */
export class FieldReader {
  readonly at: string;
  readonly #fields: Fields;
  readonly #problems: Problem[];

  constructor(value: unknown, at: string, problems: Problem[]) {
    this.at = at;
    this.#problems = problems;
    if (isFields(value)) this.#fields = value;
    else {
      this.#fields = {};
      this.#refuse(at, `must be an object, not ${nounFor(value)}`);
    }
  }

  place(key: string): string {
    return this.at === '' ? key : `${this.at}.${key}`;
  }

  refuse(key: string, message: string): void {
    this.#refuse(this.place(key), message);
  }

  /** Whether the field is there, whatever it holds. */
  has(key: string): boolean {
    return this.#present(key) !== undefined;
  }

  /**
   * For objects where a field narrows what is allowed: one that this version does not know must not be lost, or the object
   * would be served without it.
   */
  refuseUnknown(known: readonly string[]): void {
    for (const key of Object.keys(this.#fields))
      if (!known.includes(key) && this.has(key)) this.refuse(key, 'is unknown to this version of Flint');
  }

  string(key: string): string | undefined {
    const value = this.#present(key);
    if (value === undefined || typeof value === 'string') return value;
    this.refuse(key, `must be a string, not ${nounFor(value)}`);
    return undefined;
  }

  requiredString(key: string): string {
    const value = this.string(key);
    if (value === undefined && this.#present(key) === undefined) this.refuse(key, 'is required');
    return value ?? '';
  }

  requiredInteger(key: string, least: number, most: number): number {
    if (this.#present(key) === undefined) this.refuse(key, 'is required');
    return this.integer(key, least, most) ?? 0;
  }

  integer(key: string, least: number, most: number): number | undefined {
    const value = this.#present(key);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
    this.refuse(key, `must be a whole number from ${least} to ${most}`);
    return undefined;
  }

  boolean(key: string): boolean | undefined {
    const value = this.#present(key);
    if (value === undefined || typeof value === 'boolean') return value;
    this.refuse(key, `must be true or false, not ${nounFor(value)}`);
    return undefined;
  }

  oneOf<T extends string>(key: string, allowed: readonly T[]): T | undefined {
    const value = this.string(key);
    if (value === undefined) return undefined;
    const found = allowed.find((word) => word === value);
    if (found === undefined) this.refuse(key, `must be one of ${allowed.join(', ')}, not "${value}"`);
    return found;
  }

  object(key: string): FieldReader | undefined {
    const value = this.#present(key);
    return value === undefined ? undefined : new FieldReader(value, this.place(key), this.#problems);
  }

  /** The object at `key`; an absent one is a Problem and reads as empty. */
  requiredObject(key: string): FieldReader {
    if (this.has(key)) return new FieldReader(this.#fields[key], this.place(key), this.#problems);
    this.refuse(key, 'is required');
    return new FieldReader({}, this.place(key), this.#problems);
  }

  objects(key: string, most: number): readonly FieldReader[] {
    return this.#list(key, most).map(
      (value, index) => new FieldReader(value, `${this.place(key)}[${index}]`, this.#problems),
    );
  }

  strings(key: string, most: number): readonly string[] {
    return this.#list(key, most).flatMap((value, index) => {
      if (typeof value === 'string') return [value];
      this.#refuse(`${this.place(key)}[${index}]`, `must be a string, not ${nounFor(value)}`);
      return [];
    });
  }

  /** Each once. */
  integers(key: string, most: number, least: number, greatest: number): readonly number[] {
    const found: number[] = [];
    for (const [index, value] of this.#list(key, most).entries()) {
      const at = `${this.place(key)}[${index}]`;
      if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > greatest)
        this.#refuse(at, `must be a whole number from ${least} to ${greatest}`);
      else if (found.includes(value)) this.#refuse(at, `${value} stands twice`);
      else found.push(value);
    }
    return found;
  }

  /** null reads as absent, as the API server prunes it. */
  #present(key: string): unknown {
    return Object.hasOwn(this.#fields, key) ? (this.#fields[key] ?? undefined) : undefined;
  }

  #list(key: string, most: number): readonly unknown[] {
    const value = this.#present(key);
    if (value === undefined) return [];
    if (!Array.isArray(value)) {
      this.refuse(key, `must be a list, not ${nounFor(value)}`);
      return [];
    }
    if (value.length > most) {
      this.refuse(key, `holds ${value.length} entries, at most ${most} are allowed`);
      return [];
    }
    return value;
  }

  #refuse(at: string, message: string): void {
    this.#problems.push({ reason: 'Invalid', at, message });
  }
}
