// The places inside a JSON value, and the same value with something else at one of them.

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** How many places there are: the value itself, and those of its fields and entries. */
export function countPlaces(value: unknown): number {
  if (!isPlain(value)) return 1;
  return Object.values(value).reduce<number>((sum, each) => sum + countPlaces(each), 1);
}

/** A copy with `replacement` at place `number`, counted in the order of the text. */
export function replaceAt(value: unknown, number: number, replacement: unknown): unknown {
  if (number === 0) return replacement;
  if (!isPlain(value)) return value;
  let left = number - 1;
  const fields = Object.entries(value).map(([key, field]): [string, unknown] => {
    const places = countPlaces(field);
    const replaced = left >= 0 && left < places ? replaceAt(field, left, replacement) : field;
    left -= places;
    return [key, replaced];
  });
  return Array.isArray(value) ? fields.map(([, field]) => field) : Object.fromEntries(fields);
}
