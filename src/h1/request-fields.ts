// What a request's fields say about itself: framing, host, persistence. Any doubt is a fault (RFC 9112 3.2, 6, 9.3).
import { noContentLength, parseContentLength } from '#http/content-length.ts';
import type { FaultCode } from '#http/fault.ts';
import { Field } from '#http/field.ts';
import { BodyFraming } from '#http/message-head.ts';
import type { RequestHead } from '#http/message-head.ts';
import { listOf, readConnection } from './framing-fields.ts';

/** Fills in what follows from the fields of a complete head, or says why the request cannot be trusted. */
export function readRequestFields(head: RequestHead): FaultCode | undefined {
  const { fields } = head;
  let contentLength = noContentLength;
  let transferEncoding = -1;
  let hosts = 0;
  let upgrade = '';
  head.keepAlive = head.minorVersion === 1;
  for (let index = 0; index < fields.count; index++) {
    switch (fields.ids[index]!) {
      case Field.Disguised:
        return 'field-invalid';
      case Field.Host:
        if (++hosts > 1) return 'host-invalid';
        head.readHost(index);
        break;
      case Field.ContentLength:
        if (contentLength !== noContentLength) return 'framing-ambiguous';
        contentLength = parseContentLength(fields, index);
        if (contentLength < 0) return 'framing-ambiguous';
        break;
      case Field.TransferEncoding:
        if (transferEncoding >= 0) return 'framing-ambiguous';
        transferEncoding = index;
        break;
      case Field.Connection:
        readConnection(head, fields.value(index));
        break;
      case Field.Te:
        if (listOf(fields.value(index).toLowerCase()).includes('trailers')) head.acceptsTrailers = true;
        break;
      case Field.Upgrade:
        // More than one line or protocol is a choice that nobody here has to make: it stays HTTP.
        upgrade = upgrade === '' ? fields.value(index).toLowerCase() : 'several';
        break;
      case Field.Expect:
        if (fields.value(index).toLowerCase() === '100-continue')
          head.expectsContinue = head.minorVersion === 1;
        else head.expectsOther = true;
        break;
    }
  }
  if (transferEncoding >= 0) {
    const coding = fields.value(transferEncoding).toLowerCase();
    if (contentLength !== noContentLength || head.minorVersion === 0) return 'framing-ambiguous';
    if (coding !== 'chunked')
      return isStackedCoding(coding) ? 'transfer-coding-unsupported' : 'framing-ambiguous';
    head.framing = BodyFraming.Chunked;
  } else if (contentLength !== noContentLength) {
    head.framing = BodyFraming.Length;
    head.contentLength = contentLength;
  }
  // A TE that Connection does not name is somebody else's, passed on by mistake (9110 10.1.4).
  if (!head.connectionNames.includes('te')) head.acceptsTrailers = false;
  head.upgradesToWebSocket =
    upgrade === 'websocket' &&
    head.connectionNames.includes('upgrade') &&
    head.method === 'GET' &&
    head.minorVersion === 1 &&
    head.framing === BodyFraming.None;
  return readHost(head, hosts);
}

/** `gzip, chunked`: well-formed, but not one that is spoken here. Anything that hides chunked in it is ambiguous. */
function isStackedCoding(coding: string): boolean {
  const codings = listOf(coding);
  return (
    codings.length > 1 &&
    codings.at(-1) === 'chunked' &&
    codings
      .slice(0, -1)
      .every((each) => ['gzip', 'x-gzip', 'deflate', 'compress', 'x-compress'].includes(each))
  );
}

/** An absolute-form target must agree with Host; what is matched and forwarded is its path (9112 3.2.2). */
function readHost(head: RequestHead, hosts: number): FaultCode | undefined {
  if (hosts === 0 && head.minorVersion === 1) return 'host-invalid';
  if (hosts === 1 && !head.isHostValid) return 'host-invalid';
  const { target } = head;
  if (target.startsWith('/')) return undefined;
  if (target === '*') return head.method === 'OPTIONS' ? undefined : 'request-line-invalid';
  // CONNECT's authority-form is well-formed and refused later, by its method.
  if (head.method === 'CONNECT') return undefined;
  const absolute = /^https?:\/\/([^/?#]*)([^#]*)$/i.exec(target);
  if (absolute === null) return 'request-line-invalid';
  const [, authority = '', rest = ''] = absolute;
  const askedHost = head.authority;
  head.setAuthority(authority);
  if (!head.isHostValid) return 'host-invalid';
  if (hosts === 1 && authority.toLowerCase() !== askedHost.toLowerCase()) return 'host-invalid';
  // Without a path, OPTIONS asks about the server itself (9112 3.2.4).
  if (rest === '' && head.method === 'OPTIONS') head.target = '*';
  else head.target = rest.startsWith('/') ? rest : `/${rest}`;
  return undefined;
}
