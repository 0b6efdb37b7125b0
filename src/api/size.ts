// Sizes in bytes as Kubernetes writes quantities: 4096, 500k, 10Mi.

const size = /^(0|[1-9][0-9]{0,8})(k|M|G|Ki|Mi|Gi)?$/;
const unitBytes: Readonly<Record<string, number>> = {
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
};

/** Bytes, or undefined when the text is no size. 0 has no unit. */
export function parseSize(text: string): number | undefined {
  const [, digits = '', unit = ''] = size.exec(text) ?? [];
  if (digits === '' || (digits === '0' && unit !== '')) return undefined;
  // Beyond what a number counts exactly nobody sends anything.
  return Math.min(Number(digits) * (unitBytes[unit] ?? 1), Number.MAX_SAFE_INTEGER);
}
