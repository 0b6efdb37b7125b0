// How tests write what a client sends over HTTP/2: a frame a line, and what we do meanwhile.
//
//   GET 1 /path                  HEADERS with END_HEADERS and END_STREAM: a request without a body
//   POST 1 /path                 the same without END_STREAM
//     accept: */*                further fields of the frame above, indented; values in the notation of bytes
//   HEADERS 1 END_STREAM END_HEADERS PAD=3 PRIORITY=5
//     :method: GET               all fields; PRIORITY: the stream that this one depends on
//     "\x82\x84"                 bytes of HPACK instead of a field
//   CONTINUATION 1 END_HEADERS
//   DATA 1 END_STREAM PAD=3 "text"
//   PRIORITY 1 5    RST_STREAM 1 CANCEL    SETTINGS ACK INITIAL_WINDOW_SIZE=0    PING ACK "12345678"
//   GOAWAY 0 NO_ERROR    WINDOW_UPDATE 1 100
//   FRAME 10 0x4 1 "payload"     type, flags, stream
//   BYTES "no frame at all"
//   100 times: GET next /; RST_STREAM last CANCEL      `next` and `last`: streams of the client, counted by GET and POST
//   ! answer 1 200 "body"        ours, see SessionRecorder
//
// Fields are sent as literals that no table remembers, without the Huffman code.
import { Flag, FrameType } from '#h2/frame.ts';
import { parseBytes } from '../h1/bytes-notation.ts';
import { literal } from './field-blocks.ts';
import { frame, settings, uint32 } from './frame-bytes.ts';
import { errorNames, numberOf, settingNames, typeNames } from './frame-words.ts';

export type Step =
  | { readonly kind: 'Bytes'; readonly bytes: Buffer }
  | { readonly kind: 'Action'; readonly words: readonly string[] };

const repetition = /^(?<times>\d+) times: (?<items>.+)$/;
const word = /"[^"]*"|\S+/g;

interface Item {
  readonly words: readonly string[];
  readonly fields: readonly string[];
}

export function parseSteps(text: string): readonly Step[] {
  const parser = new StepParser();
  for (const item of parseItems(text)) parser.add(item);
  return parser.steps;
}

function* parseItems(text: string): Generator<Item> {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  for (let at = 0; at < lines.length;) {
    const first = lines[at++] ?? '';
    const fields: string[] = [];
    while (lines[at]?.startsWith('  ') === true) fields.push((lines[at++] ?? '').trim());
    const { times = '1', items } = repetition.exec(first)?.groups ?? {};
    for (let left = Number(times); left > 0; left--)
      for (const item of items?.split('; ') ?? [first]) yield { words: item.match(word) ?? [], fields };
  }
}

/** Flags, options and all else of an item. */
interface Words {
  readonly flags: number;
  readonly padding: number | undefined;
  readonly dependsOn: string | undefined;
  readonly text: Buffer;
  readonly rest: readonly string[];
}

const flagNames: Readonly<Record<string, number>> = {
  END_STREAM: Flag.EndStream,
  END_HEADERS: Flag.EndHeaders,
  ACK: Flag.Ack,
};

function readWords(words: readonly string[]): Words {
  let flags = 0;
  let padding: number | undefined;
  let dependsOn: string | undefined;
  let text: Buffer = Buffer.alloc(0);
  const rest: string[] = [];
  for (const each of words) {
    const flag = flagNames[each];
    if (flag !== undefined) flags |= flag;
    else if (each.startsWith('PAD=')) padding = Number(each.slice(4));
    else if (each.startsWith('PRIORITY=')) dependsOn = each.slice(9);
    else if (each.startsWith('"')) text = parseBytes(each.slice(1, -1));
    else rest.push(each);
  }
  return { flags, padding, dependsOn, text, rest };
}

/** Frames alone, in several goes: `next` goes on where the last one ended. */
export class FrameParser {
  readonly #parser = new StepParser();

  bytesOf(text: string): Buffer {
    this.#parser.steps.length = 0;
    for (const item of parseItems(text)) this.#parser.add(item);
    return Buffer.concat(
      this.#parser.steps.map((step) => {
        if (step.kind === 'Action') throw new Error(`not a frame: ! ${step.words.join(' ')}`);
        return step.bytes;
      }),
    );
  }
}

class StepParser {
  readonly steps: Step[] = [];
  #lastStream = -1;

  add({ words, fields }: Item): void {
    const [type = '', ...more] = words;
    if (type === '!') {
      this.steps.push({ kind: 'Action', words: more });
      return;
    }
    const bytes = this.#bytesOf(type, readWords(more), fields);
    const before = this.steps.at(-1);
    if (before?.kind !== 'Bytes') this.steps.push({ kind: 'Bytes', bytes });
    else this.steps[this.steps.length - 1] = { kind: 'Bytes', bytes: Buffer.concat([before.bytes, bytes]) };
  }

  #streamOf(text = ''): number {
    if (text === 'last') return this.#lastStream;
    if (text === 'next') return this.#lastStream + 2;
    return numberOf(text, new Map());
  }

  #bytesOf(type: string, words: Words, fields: readonly string[]): Buffer {
    const { flags, text, rest } = words;
    const [first, second] = rest;
    switch (type) {
      case 'BYTES':
        return text;
      case 'FRAME':
        return frame(Number(first), Number(second), Number(rest[2]), text);
      case 'GET':
      case 'POST':
        return this.#request(type, words, fields);
      case 'HEADERS': {
        const streamId = this.#streamOf(first);
        return this.#section(FrameType.Headers, streamId, words, blockOf(fields));
      }
      case 'CONTINUATION':
        return frame(FrameType.Continuation, flags, this.#streamOf(first), blockOf(fields));
      case 'DATA': {
        const { padding } = words;
        const flag = padding === undefined ? 0 : Flag.Padded;
        return frame(FrameType.Data, flags | flag, this.#streamOf(first), padded(text, padding));
      }
      case 'PRIORITY': {
        const payload = Buffer.concat([uint32(this.#streamOf(second)), Buffer.alloc(1)]);
        return frame(FrameType.Priority, 0, this.#streamOf(first), payload);
      }
      case 'RST_STREAM':
        return frame(
          FrameType.RstStream,
          0,
          this.#streamOf(first),
          uint32(numberOf(second ?? '', errorNames)),
        );
      case 'SETTINGS':
        if ((flags & Flag.Ack) !== 0) return frame(FrameType.Settings, flags, 0, Buffer.alloc(0));
        return settings(
          rest.map((pair) => {
            const [name = '', value] = pair.split('=');
            return [numberOf(name, settingNames), Number(value)] as const;
          }),
        );
      case 'PING':
        return frame(FrameType.Ping, flags, 0, text);
      case 'GOAWAY': {
        const payload = Buffer.concat([uint32(Number(first)), uint32(numberOf(second ?? '', errorNames))]);
        return frame(FrameType.GoAway, 0, 0, payload);
      }
      case 'WINDOW_UPDATE':
        return frame(FrameType.WindowUpdate, 0, this.#streamOf(first), uint32(Number(second)));
      default:
        throw new Error(`not a frame: ${type}; those of the RFC are ${[...typeNames.values()].join(', ')}`);
    }
  }

  #request(method: string, words: Words, fields: readonly string[]): Buffer {
    const [stream, path = ''] = words.rest;
    const streamId = this.#streamOf(stream);
    this.#lastStream = streamId;
    const head = [`:method: ${method}`, ':scheme: http', `:path: ${path}`, ':authority: a.example'];
    const flags = words.flags | Flag.EndHeaders | (method === 'GET' ? Flag.EndStream : 0);
    const block = blockOf([...head, ...fields]);
    return this.#section(FrameType.Headers, streamId, { ...words, flags }, block);
  }

  #section(type: number, streamId: number, words: Words, block: Buffer): Buffer {
    const { dependsOn, padding } = words;
    const weight = Buffer.alloc(1);
    const priority =
      dependsOn === undefined ? Buffer.alloc(0) : Buffer.concat([uint32(this.#streamOf(dependsOn)), weight]);
    const flags =
      words.flags | (dependsOn === undefined ? 0 : Flag.Priority) | (padding === undefined ? 0 : Flag.Padded);
    return frame(type, flags, streamId, padded(Buffer.concat([priority, block]), padding));
  }
}

/** `padding` behind the content, and its length in front of it. */
function padded(content: Buffer, padding: number | undefined): Buffer {
  if (padding === undefined) return content;
  return Buffer.concat([Buffer.from([padding]), content, Buffer.alloc(padding)]);
}

const fieldLine = /^(?<name>:?[^:]*):(?: (?<value>.*))?$/;

function blockOf(fields: readonly string[]): Buffer {
  return Buffer.concat(
    fields.map((line) => {
      if (line.startsWith('"')) return parseBytes(line.slice(1, -1));
      const groups = fieldLine.exec(line)?.groups;
      if (groups === undefined) throw new Error(`not a field: ${line}`);
      const { name = '', value = '' } = groups;
      return literal(parseBytes(name).toString('latin1'), parseBytes(value).toString('latin1'));
    }),
  );
}
