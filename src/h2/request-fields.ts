// The head of a request: pseudo-fields and fields -> what the proxy works with (RFC 9113 8.3.1).
import { isTarget, tokenLower } from '#http/characters.ts';
import type { FaultCode } from '#http/fault.ts';
import { Field, nameIs } from '#http/field.ts';
import type { FieldSection } from '#http/field-section.ts';
import type { RequestHead } from '#http/message-head.ts';
import { BodyFraming } from '#http/message-head.ts';
import { Pseudo } from './header-block.ts';
import type { HeaderBlock } from './header-block.ts';
import { readFraming } from './message-fields.ts';
import type { SessionLimits } from './session-limits.ts';

const mostMethodBytes = 24;
const SEMICOLON = '; ';

export type RequestVerdict =
  | { readonly kind: 'Request' }
  /** It is answered with an error, and the connection goes on. */
  | { readonly kind: 'Refused'; readonly fault: FaultCode }
  /** Its stream is reset. */
  | { readonly kind: 'Malformed' };

const sound: RequestVerdict = { kind: 'Request' };
const malformed: RequestVerdict = { kind: 'Malformed' };

function refused(fault: FaultCode): RequestVerdict {
  return { kind: 'Refused', fault };
}

/** `head.fields` were filled by the decoder of `block`. */
export function readRequest(
  block: HeaderBlock,
  head: RequestHead,
  isEnd: boolean,
  limits: SessionLimits,
): RequestVerdict {
  if (block.isMalformed || block.hasPseudo(Pseudo.Status)) return malformed;
  if (block.isTooLarge) return refused('head-too-large');
  const { method, path } = block;
  if (!isToken(method) || method.length > mostMethodBytes) return malformed;
  const isExtended = block.hasPseudo(Pseudo.Protocol);
  const isConnect = method === 'CONNECT';
  if (isConnect && !isExtended) {
    // An ordinary CONNECT has neither of the two (RFC 9113 8.5); it is refused by its method, as everywhere.
    if (block.hasPseudo(Pseudo.Scheme) || block.hasPseudo(Pseudo.Path)) return malformed;
  } else if (!isConnect && isExtended) return malformed;
  else if (!isPath(path, method) || (block.scheme !== 'https' && block.scheme !== 'http')) return malformed;
  if (path.length > limits.targetBytes) return refused('target-too-long');
  if (!readFraming(head, isEnd)) return malformed;
  // Where nothing follows, nothing may have been declared.
  if (isEnd && head.framing === BodyFraming.Length && head.contentLength > 0) return malformed;
  head.method = method;
  head.target = path;
  return readFields(head, block, isExtended) ?? sound;
}

function readFields(head: RequestHead, block: HeaderBlock, isExtended: boolean): RequestVerdict | undefined {
  const { fields } = head;
  let hostAt = -1;
  let cookies = 0;
  for (let index = 0; index < fields.count; index++) {
    switch (fields.ids[index]!) {
      case Field.Disguised:
        return refused('field-invalid');
      case Field.Host:
        if (hostAt >= 0) return refused('host-invalid');
        hostAt = index;
        break;
      case Field.Te:
        head.acceptsTrailers = true;
        break;
      case Field.Expect:
        if (fields.value(index).toLowerCase() === '100-continue') head.expectsContinue = true;
        else head.expectsOther = true;
        break;
      case Field.Other:
        if (isCookie(fields, index)) cookies++;
        break;
    }
  }
  const authority = block.hasPseudo(Pseudo.Authority) ? block.authority : '';
  if (hostAt >= 0 && authority === '') head.readHost(hostAt);
  else {
    head.readAuthority(authority);
    // Two that differ: nobody could say whom the request is for.
    if (hostAt >= 0 && fields.value(hostAt).toLowerCase() !== authority.toLowerCase())
      return refused('host-invalid');
  }
  if (!head.isHostValid || head.authority === '') return refused('host-invalid');
  if (cookies > 1) joinCookies(fields, block);
  return isExtended ? readExtendedConnect(head, block) : undefined;
}

/** WebSocket is what can be asked for; it goes on as the GET that HTTP/1 has for it (RFC 8441 5). */
function readExtendedConnect(head: RequestHead, { protocol }: HeaderBlock): RequestVerdict | undefined {
  if (protocol.toLowerCase() !== 'websocket') return refused('method-refused');
  if (head.framing === BodyFraming.Length) return malformed;
  head.method = 'GET';
  head.framing = BodyFraming.None;
  head.upgradesToWebSocket = true;
  return undefined;
}

function isToken(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (tokenLower[text.charCodeAt(at)] === 0) return false;
  return text !== '';
}

/** A path from the root, or what OPTIONS asks of the server itself. */
function isPath(path: string, method: string): boolean {
  if (!path.startsWith('/')) return path === '*' && method === 'OPTIONS';
  for (let at = 0; at < path.length; at++) if (isTarget[path.charCodeAt(at)] !== 1) return false;
  return true;
}

function isCookie(fields: FieldSection, index: number): boolean {
  const start = fields.nameStart(index);
  return fields.nameEnd(index) - start === 6 && nameIs(fields.bytes, start, start + 6, 'cookie');
}

/** Crumbs with other fields between them: one line at the end, in their order (RFC 9113 8.2.3). */
function joinCookies(fields: FieldSection, block: HeaderBlock): void {
  const crumbs: string[] = [];
  for (let index = fields.count - 1; index >= 0; index--) {
    if (!isCookie(fields, index)) continue;
    const crumb = fields.value(index);
    if (crumb !== '') crumbs.unshift(crumb);
    fields.remove(index);
  }
  block.append('cookie', crumbs.join(SEMICOLON), Field.Other);
}
