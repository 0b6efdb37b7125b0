// PEM as text (RFC 7468): the blocks of a file, with whatever stands around them skipped.

export interface PemBlock {
  readonly label: string;
  readonly der: Buffer;
  /** Whether header lines stand before the data, as in keys under a passphrase (RFC 1421 4.6). */
  readonly hasHeaders: boolean;
}

/** `cause` never quotes the text: it may be a key. */
export type PemRead =
  | { readonly kind: 'Blocks'; readonly blocks: readonly PemBlock[] }
  | { readonly kind: 'Malformed'; readonly cause: string };

const boundary = /^-----(BEGIN|END) ([^-]*)-----$/;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const columns = 64;

export function parsePem(text: string): PemRead {
  const blocks: PemBlock[] = [];
  let label: string | undefined;
  let lines: string[] = [];
  for (const line of text.split(/\r\n|\n|\r/).map((each) => each.trim())) {
    // Nothing of a damaged boundary may pass for text around blocks: a certificate would be lost without a word.
    if (line.startsWith('-----')) {
      const [, edge, name = ''] = boundary.exec(line) ?? [];
      if (edge === undefined) return { kind: 'Malformed', cause: 'a PEM boundary line is damaged' };
      if (edge === 'BEGIN') {
        if (label !== undefined) return { kind: 'Malformed', cause: 'a PEM block begins inside another' };
        label = name;
        lines = [];
        continue;
      }
      if (label !== name) return { kind: 'Malformed', cause: 'a PEM block ends that never began' };
      const block = decodeBlock(label, lines);
      if (block === undefined) return { kind: 'Malformed', cause: 'a PEM block is not base64' };
      blocks.push(block);
      label = undefined;
    } else if (label !== undefined) lines.push(line);
  }
  if (label !== undefined) return { kind: 'Malformed', cause: 'a PEM block has no end' };
  return { kind: 'Blocks', blocks };
}

function decodeBlock(label: string, lines: readonly string[]): PemBlock | undefined {
  const hasHeaders = lines.some((line) => line.includes(':'));
  const content = hasHeaders ? '' : lines.join('').replaceAll(/[ \t]/g, '');
  if (!hasHeaders && (content === '' || !base64.test(content))) return undefined;
  return { label, der: Buffer.from(content, 'base64'), hasHeaders };
}

/** One block with 64 columns and LF line ends, which every reader of PEM takes. */
export function encodePem(label: string, der: Buffer): string {
  const content = der.toString('base64');
  const lines: string[] = [];
  for (let at = 0; at < content.length; at += columns) lines.push(content.slice(at, at + columns));
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
