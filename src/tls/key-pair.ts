// A certificate and its key as one value: what must hold before a pair may be served, and what it is good for.
import { createHash } from 'node:crypto';
import type { X509Certificate } from 'node:crypto';
import { SecretText } from '#model/secret-text.ts';
import { checkChain } from './certificate-chain.ts';
import { kindOfKey } from './key-kind.ts';
import type { KeyType } from './key-kind.ts';
import { encodePem } from './pem.ts';
import { checkKey, faultOfPair } from './private-key.ts';

export interface KeyPair {
  /** PEM with LF line ends, the leaf first, nothing around the certificates. */
  readonly chain: string;
  /** PEM of PKCS#8. */
  readonly key: SecretText;
  readonly leaf: LeafFacts;
}

export interface LeafFacts {
  /** RFC 3339. */
  readonly notBefore: string;
  /** RFC 3339. */
  readonly notAfter: string;
  /** The dNSName entries that are hostnames or wildcards: lower-case, sorted, each once. */
  readonly dnsNames: readonly string[];
  readonly keyType: KeyType;
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprint: string;
}

export type PairCheck =
  | { readonly kind: 'Fit'; readonly pair: KeyPair }
  /** One sentence that names tls.crt or tls.key and the cause. It quotes neither. */
  | { readonly kind: 'Unfit'; readonly fault: string };

const mostCharacters = 128 * 1024;

/**
 * Judges the two texts of a kubernetes.io/tls Secret; never throws. Costs a signature, a few milliseconds with a large
 * RSA key: worth remembering by its input.
 */
export function checkKeyPair(certificatePem: string, keyPem: string): PairCheck {
  if (certificatePem.length > mostCharacters) return unfit('tls.crt is larger than 128 KiB');
  if (keyPem.length > mostCharacters) return unfit('tls.key is larger than 128 KiB');
  const chain = checkChain(certificatePem);
  if (chain.kind === 'Unfit') return unfit(chain.fault);
  const key = checkKey(keyPem);
  if (key.kind === 'Unfit') return unfit(key.fault);
  const [certificate] = chain.chain;
  const fault = faultOfPair(certificate, key.key);
  if (fault !== undefined) return unfit(fault);
  const leaf = factsOf(certificate);
  if (leaf === undefined) return unfit('the validity of the first certificate of tls.crt cannot be parsed');
  const pair: KeyPair = {
    chain: chain.chain.map(({ raw }) => encodePem('CERTIFICATE', raw)).join(''),
    key: new SecretText(encodePem('PRIVATE KEY', key.key.export({ format: 'der', type: 'pkcs8' }))),
    leaf,
  };
  return { kind: 'Fit', pair };
}

function unfit(fault: string): PairCheck {
  return { kind: 'Unfit', fault };
}

function factsOf(certificate: X509Certificate): LeafFacts | undefined {
  const notBefore = timeOf(certificate.validFrom);
  const notAfter = timeOf(certificate.validTo);
  const kind = kindOfKey(certificate.publicKey);
  if (notBefore === undefined || notAfter === undefined || kind.kind === 'Unfit') return undefined;
  return {
    notBefore,
    notAfter,
    dnsNames: dnsNamesOf(certificate.subjectAltName ?? ''),
    keyType: kind.type,
    fingerprint: createHash('sha256').update(certificate.raw).digest('hex'),
  };
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const printedTime = /^(\w{3}) ([ \d]\d) (\d\d:\d\d:\d\d)(?:\.\d+)? (\d{1,4}) GMT$/;

/** Of `Jan  1 00:00:00 2027 GMT`. The `Date` of the same field is no help: of a malformed time it is a random one. */
function timeOf(printed: string): string | undefined {
  const [, name = '', day = '', clock = '', year = ''] = printedTime.exec(printed) ?? [];
  const month = months.indexOf(name) + 1;
  const date = [year.padStart(4, '0'), String(month).padStart(2, '0'), day.replace(' ', '0')].join('-');
  const time = `${date}T${clock}Z`;
  return Number.isNaN(Date.parse(time)) ? undefined : time;
}

const label = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const hostnameOrWildcard = new RegExp(String.raw`^(?:\*\.)?${label}(?:\.${label})*$`);
const longestName = 253;

/** Of `DNS:a.example, IP Address:192.0.2.1`. What holds a comma or a quote is a JSON string there, commas escaped. */
function dnsNamesOf(subjectAltName: string): readonly string[] {
  const names = subjectAltName
    .split(', ')
    .filter((entry) => entry.startsWith('DNS:'))
    .map((entry) => entry.slice('DNS:'.length).toLowerCase())
    // No client ever matches what is no name: an empty entry, spaces, `f*.example`.
    .filter((name) => name.length <= longestName && hostnameOrWildcard.test(name));
  return [...new Set(names)].toSorted();
}

export type Validity = 'NotYetValid' | 'Valid' | 'Expired';

/** At `now`, in RFC 3339. Both ends belong to the validity. */
export function validityAt(leaf: LeafFacts, now: string): Validity {
  const time = Date.parse(now);
  if (time < Date.parse(leaf.notBefore)) return 'NotYetValid';
  return time > Date.parse(leaf.notAfter) ? 'Expired' : 'Valid';
}

/**
 * Whether clients of this hostname take the certificate (RFC 9525 6.3). A `*.` hostname asks for that very wildcard,
 * which covers one label; the catch-all `*` is covered by no certificate.
 */
export function namesCover({ dnsNames }: Pick<LeafFacts, 'dnsNames'>, hostname: string): boolean {
  const name = hostname.toLowerCase();
  if (dnsNames.includes(name)) return true;
  const dot = name.indexOf('.');
  return dot > 0 && dnsNames.includes(`*${name.slice(dot)}`);
}
