// Who a client has proved to be, in the words that backends are told it with: X-Forwarded-Client-Cert, as Envoy writes it.
//
//   Hash=3f0c...;Subject="CN=client.test,O=Shop";URI=spiffe://shop/client;DNS=client.test
import { createHash } from 'node:crypto';
import type { LeafCertificate } from '#transport/secure-transport.ts';

/** Of each kind; a certificate may hold thousands, and a head may not. */
const mostNames = 16;
const mostSubjectCharacters = 2048;
const mostNameCharacters = 512;

/**
 * Of a leaf that was verified, as the handshake has read it: parsers of bytes look for PEM first, and would find in a name
 * of it whatever certificate its owner has put there. Printable ASCII.
 */
export function identityOf({ raw, subject, subjectAltName }: LeafCertificate): string {
  const names = namesIn(subjectAltName ?? '');
  return [
    `Hash=${createHash('sha256').update(raw).digest('hex')}`,
    `Subject=${quoted(subjectText(subject ?? '').slice(0, mostSubjectCharacters))}`,
    ...named(names, 'URI'),
    ...named(names, 'DNS'),
  ].join(';');
}

/** From a line for each attribute, the outermost first, to RFC 2253: the innermost first, with commas. */
function subjectText(subject: string): string {
  return subject
    .split('\n')
    .filter((line) => line !== '')
    .reverse()
    .join(',');
}

interface AlternativeName {
  readonly kind: string;
  readonly value: string;
}

/** Of `DNS:a.example, URI:"spiffe://a, b"`: what holds a comma or a quote is a JSON string there. */
function namesIn(subjectAltName: string): readonly AlternativeName[] {
  const names: AlternativeName[] = [];
  for (const [, kind = '', text = ''] of subjectAltName.matchAll(
    /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g,
  ))
    names.push({ kind, value: text.startsWith('"') ? unquoted(text) : text });
  return names;
}

function unquoted(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return '';
  }
}

function named(names: readonly AlternativeName[], wanted: string): readonly string[] {
  return names
    .filter(({ kind, value }) => kind === wanted && value !== '' && value.length <= mostNameCharacters)
    .slice(0, mostNames)
    .map(({ value }) => `${wanted}=${plain.test(value) ? value : quoted(value)}`);
}

/** Nothing that ends a pair, an element or a text. */
const plain = /^[A-Za-z0-9:/?#@!$&'()*+.~%_-]+$/;

/** A quoted-string (RFC 9110 5.6.4); what is not printable ASCII stands as `\xx`, as in RFC 2253. */
function quoted(text: string): string {
  const ascii = text.replaceAll(/[^\x20-\x7e]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `\\${byte.toString(16).padStart(2, '0')}`).join(''),
  );
  return `"${ascii.replaceAll(/["\\]/g, (character) => `\\${character}`)}"`;
}
