// Durations as the Gateway API writes them (GEP-2257): 1h30m, 10s, 250ms.

const wholeText = /^(?:[0-9]{1,5}(?:h|m|s|ms)){1,4}$/;
const part = /([0-9]{1,5})(ms|h|m|s)/g;
const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Milliseconds, or undefined when the text is no duration. */
export function parseDurationMs(text: string): number | undefined {
  if (text.length > 24 || !wholeText.test(text)) return undefined;
  let total = 0;
  for (const [, digits = '', unit = ''] of text.matchAll(part)) total += Number(digits) * (unitMs[unit] ?? 0);
  return total;
}
