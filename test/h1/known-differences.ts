// Why Flint and Node's parser may disagree: every difference found must be one of these.
import { METHODS } from 'node:http';
import {
  fieldValues,
  firstLine,
  hasDisguisedName,
  hasGoodHost,
  hasOddChunkExtension,
  isLast,
} from './difference-predicates.ts';
import { isLaxer, refusedByFlint, refusedByNode, takenByNode } from './difference-verdicts.ts';
import type { Difference } from './request-differences.ts';

export interface KnownDifference {
  readonly name: string;
  readonly why: string;
  readonly section: string;
  readonly explains: (difference: Difference) => boolean;
}

export const knownDifferences: readonly KnownDifference[] = [
  {
    name: 'absolute target',
    why: 'Flint reports the part of an absolute target that goes on; Node leaves that to its user.',
    section: 'RFC 9112 3.2.2',
    explains: (difference) => {
      if (difference.kind !== 'Part' || difference.part !== 'target') return false;
      const path = /^https?:\/\/[^/?#]+([^#]*)$/i.exec(difference.theirs.target)?.[1];
      if (path === undefined) return false;
      if (path === '' && difference.ours.method === 'OPTIONS') return difference.ours.target === '*';
      return difference.ours.target === (path.startsWith('/') ? path : `/${path}`);
    },
  },
  {
    name: 'another scheme, a fragment, or no authority',
    why: 'Only http and https URIs name something here; Node takes any that looks like a URI.',
    section: 'RFC 9110 4.2',
    explains: (difference) =>
      isLaxer(difference, 'request-line-invalid') &&
      / [a-z]+:\/\//i.test(firstLine(difference.text)) &&
      !/ https?:\/\/[^# ]* HTTP\/1.[01]$/i.test(firstLine(difference.text)),
  },
  {
    name: 'asterisk form',
    why: 'An asterisk alone, and with OPTIONS alone; Node looks neither at the method nor at what follows.',
    section: 'RFC 9112 3.2.4',
    explains: (difference) =>
      isLaxer(difference, 'request-line-invalid') &&
      /^(?!OPTIONS \* )[^ ]+ \*/.test(firstLine(difference.text)),
  },
  {
    name: 'unregistered method',
    why: 'Any token is a method to Flint; Node has a fixed list.',
    section: 'RFC 9110 9.1',
    explains: (difference) =>
      refusedByNode(difference, 'HPE_INVALID_METHOD', 'HPE_INVALID_CONSTANT') &&
      (difference.kind === 'Ending' || (difference.kind === 'Accepted' && difference.by === 'flint')) &&
      /^[^ ]+ /.test(firstLine(difference.text)) &&
      !METHODS.includes(firstLine(difference.text).split(' ', 1)[0] ?? ''),
  },
  {
    name: 'authority form',
    why: 'CONNECT is refused for its method, whatever its target; Node judges the target first.',
    section: 'RFC 9112 3.2.3',
    explains: (difference) =>
      refusedByNode(difference, 'HPE_INVALID_URL') && firstLine(difference.text).startsWith('CONNECT '),
  },
  {
    name: 'content of CONNECT',
    why: 'Flint reads the length that a CONNECT announces before it refuses it; to Node a tunnel has begun.',
    section: 'RFC 9110 9.3.6',
    explains: (difference) =>
      (difference.kind === 'Part' || difference.kind === 'Extent') && difference.ours.method === 'CONNECT',
  },
  {
    name: 'after CONNECT or Upgrade',
    why: 'No tunnel before 101: what follows is the next request; to Node it is opaque.',
    section: 'RFC 9110 7.8',
    explains: ({ flint, index }) => {
      const before = flint.requests[index - 1];
      return (
        before?.method === 'CONNECT' || (before !== undefined && fieldValues(before, 'upgrade').length > 0)
      );
    },
  },
  {
    name: 'after close',
    why: 'The owner of the connection stops reading after the last request; Node lets its parser fail.',
    section: 'RFC 9112 9.6',
    explains: (difference) => {
      const before = difference.flint.requests[difference.index - 1];
      return before !== undefined && isLast(before) && refusedByNode(difference, 'HPE_CLOSED_CONNECTION');
    },
  },
  {
    name: 'empty lines before a request',
    why: 'Flint tolerates one CRLF; Node any number of CR and LF.',
    section: 'RFC 9112 2.2',
    explains: ({ kind, flint, text }) => {
      const blank = /^[\r\n]+/.exec(text)?.[0] ?? '';
      if (kind === 'Ending' && flint.ending.kind === 'Unfinished') return blank !== '' && blank === text;
      return blank !== '' && blank !== '\r\n' && flint.ending.kind === 'Refused';
    },
  },
  {
    name: 'spaces in the request line',
    why: 'Exactly one space on each side of the target; Node takes more.',
    section: 'RFC 9112 3',
    explains: (difference) =>
      isLaxer(difference, 'request-line-invalid') &&
      /^[^ ]+ {2}| {2}HTTP\/[^ ]*$/.test(firstLine(difference.text)),
  },
  {
    name: 'other versions',
    why: 'Flint speaks HTTP/1.0 and 1.1; Node also reads HTTP/0.9 and the request line of HTTP/2.0.',
    section: 'RFC 9112 2.3',
    explains: (difference) =>
      isLaxer(difference, 'request-line-invalid', 'version-unsupported') &&
      !/ HTTP\/1\.[01]$/.test(firstLine(difference.text)),
  },
  {
    name: 'Host',
    why: 'Missing, repeated, malformed or at odds with the target; Node was told not to look.',
    section: 'RFC 9112 3.2',
    explains: (difference) => {
      const taken = takenByNode(difference, 'host-invalid');
      return taken !== undefined && !hasGoodHost(taken);
    },
  },
  {
    name: 'transfer codings',
    why: 'chunked, once, in HTTP/1.1; Node takes codings below it, and finds others bad only after the head.',
    section: 'RFC 9112 6.1',
    explains: (difference) => {
      const taken = takenByNode(difference, 'framing-ambiguous', 'transfer-coding-unsupported');
      if (taken === undefined) return false;
      const codings = fieldValues(taken, 'transfer-encoding');
      return codings.length > 0 && (codings.join().toLowerCase() !== 'chunked' || taken.version === '1.0');
    },
  },
  {
    name: 'tab after a transfer coding',
    why: 'Whitespace around a value is no part of it; Node knows only spaces there.',
    section: 'RFC 9110 5.5',
    explains: ({ text }) => /\r\nTransfer-Encoding:[ \t]*chunked *\t[ \t]*\r\n/i.test(text),
  },
  {
    name: 'names disguised by underscores',
    why: 'A backend may read X_Forwarded_For as X-Forwarded-For; Node passes it on.',
    section: 'RFC 3875 4.1.18',
    explains: (difference) =>
      refusedByFlint(difference, 'field-invalid', 'chunk-invalid') && hasDisguisedName(difference.text),
  },
  {
    name: 'number of fields',
    why: 'A hundred, trailers included; Node was given no limit.',
    section: 'RFC 6585 5',
    explains: (difference) =>
      refusedByFlint(difference, 'head-too-large', 'chunk-invalid') &&
      difference.text.split('\r\n').length > 101,
  },
  {
    name: 'numbers too large to count with',
    why: 'Lengths of up to 15 digits and sizes of up to 13; Node goes on to 64 bits.',
    section: 'RFC 9112 7.1',
    explains: (difference) =>
      (refusedByFlint(difference, 'framing-ambiguous') &&
        /\r\nContent-Length:[ \t]*[0-9]{16}/i.test(difference.text)) ||
      (refusedByFlint(difference, 'chunk-invalid') && /\r\n[0-9a-f]{14}/i.test(difference.text)),
  },
  {
    name: 'chunk extensions',
    why: 'Extensions are dropped, so Flint only looks for their end; Node judges their grammar.',
    section: 'RFC 9112 7.1.1',
    explains: (difference) =>
      refusedByNode(difference, 'HPE_STRICT', 'HPE_INVALID_CHUNK_SIZE') &&
      hasOddChunkExtension(difference.text),
  },
  {
    name: 'framing fields in trailers',
    why: 'Trailers are dropped and frame nothing; Node judges them as if they did.',
    section: 'RFC 9112 7.1.2',
    explains: (difference) =>
      (difference.kind === 'Extent' || difference.kind === 'Ending') &&
      refusedByNode(
        difference,
        'HPE_INVALID_TRANSFER_ENCODING',
        'HPE_INVALID_CONTENT_LENGTH',
        'HPE_UNEXPECTED_CONTENT_LENGTH',
      ) &&
      /\r\n0+(?:;[^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*(?:Content-Length|Transfer-Encoding):/i.test(difference.text),
  },
  {
    name: 'refused at the end of the line',
    why: 'Flint judges whole lines and whole heads, Node single bytes: the same verdict, only later.',
    section: 'RFC 9112 2.2',
    explains: (difference) =>
      difference.kind === 'Ending' &&
      difference.flint.ending.kind === 'Unfinished' &&
      refusedByNode(difference) &&
      difference.wouldRefuse(),
  },
];
