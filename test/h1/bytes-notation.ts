// How tests write bytes as text: visible escapes, `{a*70000}` for repetition, line breaks of the text ignored.

const named: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '\\': '\\', '{': '{', '}': '}' };

/** `GET / HTTP/1.1\r\n{a: b\r\n*3}\x00` to its bytes. A repetition is `{text*times}`, and does not nest. */
export function parseBytes(notation: string): Buffer {
  const text = notation.replaceAll('\n', '');
  let bytes = '';
  for (let at = 0; at < text.length;) {
    if (text[at] !== '{') {
      const { character, next } = readCharacter(text, at);
      bytes += character;
      at = next;
      continue;
    }
    let repeated = '';
    at++;
    while (text[at] !== '*') {
      const { character, next } = readCharacter(text, at);
      repeated += character;
      at = next;
    }
    const close = text.indexOf('}', at);
    const times = Number(text.slice(at + 1, close));
    if (close < 0 || !Number.isInteger(times))
      throw new Error(`not a repetition: ${text.slice(at - 20, at + 20)}`);
    bytes += repeated.repeat(times);
    at = close + 1;
  }
  return Buffer.from(bytes, 'latin1');
}

function readCharacter(text: string, at: number): { character: string; next: number } {
  const character = text[at];
  if (character === undefined) throw new Error(`a repetition has no end: ${text.slice(-40)}`);
  if (character !== '\\') return { character, next: at + 1 };
  const letter = text[at + 1] ?? '';
  const literal = named[letter];
  if (literal !== undefined) return { character: literal, next: at + 2 };
  const hex = text.slice(at + 2, at + 4);
  if (letter !== 'x' || !/^[0-9a-f]{2}$/i.test(hex))
    throw new Error(`not an escape: ${text.slice(at, at + 4)}`);
  return { character: String.fromCharCode(Number.parseInt(hex, 16)), next: at + 4 };
}

/** The other way round, for events and failure messages: one line, long runs shortened. */
export function describeBytes(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replaceAll(/[^ -z|~]|\\|\{|\}/g, escapeOf)
    .replaceAll(/(\\x..|\\.|[^\\])\1{39,}/g, (run, unit: string) => `{${unit}*${run.length / unit.length}}`);
}

function escapeOf(character: string): string {
  const letter = Object.keys(named).find((each) => named[each] === character);
  if (letter !== undefined) return `\\${letter}`;
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
