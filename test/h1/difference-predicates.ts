// What the table of known differences asks about input, written apart from the parser that is tested.
import { isIPv6 } from 'node:net';
import type { ParsedRequest } from './parsed-requests.ts';

export function firstLine(text: string): string {
  return text.replace(/^\r\n/, '').split(/\r?\n/, 1)[0] ?? '';
}

export function fieldValues({ fields }: ParsedRequest, name: string): readonly string[] {
  return fields.filter((_, index) => index % 2 === 1 && fields[index - 1]?.toLowerCase() === name);
}

const authority = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=]+|\[(?<address>[^\]]*)\])(?::(?<port>[0-9]{0,5}))?$/;

/** One Host that is an authority, and the same as that of an absolute target; HTTP/1.0 may have none. */
export function hasGoodHost(request: ParsedRequest): boolean {
  const hosts = fieldValues(request, 'host');
  const inTarget = /^https?:\/\/([^/?#]*)/i.exec(request.target)?.[1];
  if (hosts.length === 0 && request.version === '1.1') return false;
  if (hosts.length > 1) return false;
  const host = hosts[0];
  if (inTarget !== undefined && host !== undefined && inTarget.toLowerCase() !== host.toLowerCase())
    return false;
  return [host, inTarget].every((each) => {
    if (each === undefined) return true;
    const matched = authority.exec(each);
    const { address, port = '0' } = matched?.groups ?? {};
    return (
      matched !== null &&
      Number(port) <= 65_535 &&
      (address === undefined || (isIPv6(address) && !address.includes('%')))
    );
  });
}

/** The connection ends after this request. */
export function isLast(request: ParsedRequest): boolean {
  const options = fieldValues(request, 'connection').join().toLowerCase();
  return options.includes('close') || (request.version === '1.0' && !options.includes('keep-alive'));
}

const meaningful =
  /^(?:host|connection|keep-alive|proxy-.*|transfer-encoding|content-length|te|trailer|upgrade|expect|forwarded|x-forwarded-.*|x-real-ip|x-request-id|http2-settings|date)$/i;

export function hasDisguisedName(text: string): boolean {
  return text
    .split('\r\n')
    .map((line) => line.split(':', 1)[0] ?? '')
    .some((name) => name.includes('_') && meaningful.test(name.replaceAll('_', '-')));
}

const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const goodExtensions = new RegExp(`^(?:;${token}(?:=(?:${token}|"[^"\\\\]*"))?)*$`);

export function hasOddChunkExtension(text: string): boolean {
  return text.split('\r\n').some((line) => {
    const extensions = /^[0-9A-Fa-f]+(;.*)$/s.exec(line)?.[1];
    return extensions !== undefined && !goodExtensions.test(extensions);
  });
}
