// The order of every sorted list in a model: by UTF-16 code unit, the same on every machine.

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
