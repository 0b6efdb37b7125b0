// The names of frames, flags, settings and errors as the RFCs print them.
import { ErrorCode } from '#h2/error-code.ts';
import { FrameType } from '#h2/frame.ts';
import { Setting } from '#h2/setting.ts';

/** `RstStream` to `RST_STREAM`. */
function printed(name: string): string {
  return name
    .replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, '_')
    .toUpperCase()
    .replace('GO_AWAY', 'GOAWAY');
}

function namesOf(numbers: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(numbers).map(([name, number]) => [number, printed(name)]));
}

export const typeNames: ReadonlyMap<number, string> = namesOf(FrameType);
export const errorNames: ReadonlyMap<number, string> = namesOf(ErrorCode);
export const settingNames: ReadonlyMap<number, string> = namesOf(Setting);

export function errorName(code: number): string {
  return errorNames.get(code) ?? `0x${code.toString(16)}`;
}

/** By its name, or as the number that it is. */
export function numberOf(word: string, names: ReadonlyMap<number, string>): number {
  for (const [number, name] of names) if (name === word) return number;
  const number = Number(word);
  if (word === '' || !Number.isInteger(number)) throw new Error(`not a number, and no name: ${word}`);
  return number;
}
