// Certificate authorities, chains and leaves for tests, of every kind that a test may need, right or wrong.
import { createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { bits, der, integer, objectIdentifier, octets, sequence, setOf, time, utf8, yes } from './der.ts';

export type TestKeyType =
  | 'RSA-1024'
  | 'RSA-2048'
  | 'P-256'
  | 'P-384'
  | 'P-521'
  | 'secp256k1'
  | 'Ed25519'
  | 'Ed448'
  | 'RSA-PSS';

export interface CertificateRequest {
  readonly commonName?: string;
  readonly dnsNames?: readonly string[];
  /** The content of the subjectAltName sequence, instead of `dnsNames`. */
  readonly alternativeNames?: Buffer;
  readonly isAuthority?: boolean;
  /** Without extensions. */
  readonly isVersion1?: boolean;
  /** RFC 3339. */
  readonly notBefore?: string;
  readonly notAfter?: string;
  readonly key?: KeyObject;
  readonly digest?: 'sha1' | 'sha256' | 'sha384';
  /** Absent: signed by its own key. */
  readonly issuer?: Issuer;
  /** Signs in the place of the issuer's key. */
  readonly signingKey?: KeyObject;
}

export interface Issuer {
  readonly commonName: string;
  readonly key: KeyObject;
}

export interface Issued extends Issuer {
  readonly der: Buffer;
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS#8. */
  readonly keyPem: string;
}

export function generateKey(type: TestKeyType = 'P-256'): KeyObject {
  switch (type) {
    case 'RSA-1024':
      return generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
    case 'RSA-2048':
      return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    case 'RSA-PSS':
      return generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey;
    case 'Ed25519':
      return generateKeyPairSync('ed25519').privateKey;
    case 'Ed448':
      return generateKeyPairSync('ed448').privateKey;
    default:
      return generateKeyPairSync('ec', { namedCurve: type }).privateKey;
  }
}

export function pem(label: string, content: Buffer): string {
  const lines = content.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

export function pkcs8(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' });
}

const signatureAlgorithms = {
  rsa: { sha1: '1.2.840.113549.1.1.5', sha256: '1.2.840.113549.1.1.11', sha384: '1.2.840.113549.1.1.12' },
  ec: { sha1: '1.2.840.10045.4.1', sha256: '1.2.840.10045.4.3.2', sha384: '1.2.840.10045.4.3.3' },
} as const;

function signatureAlgorithm(key: KeyObject, digest: 'sha1' | 'sha256' | 'sha384'): Buffer {
  switch (key.asymmetricKeyType) {
    case 'ed25519':
      return sequence(objectIdentifier('1.3.101.112'));
    case 'ed448':
      return sequence(objectIdentifier('1.3.101.113'));
    case 'ec':
      return sequence(objectIdentifier(signatureAlgorithms.ec[digest]));
    default:
      return sequence(objectIdentifier(signatureAlgorithms.rsa[digest]), der(0x05));
  }
}

function name(commonName: string): Buffer {
  return sequence(setOf(sequence(objectIdentifier('2.5.4.3'), utf8(commonName))));
}

function extension(identifier: string, content: Buffer, isCritical = false): Buffer {
  return sequence(objectIdentifier(identifier), ...(isCritical ? [yes] : []), octets(content));
}

/** One dNSName of a subjectAltName. */
export function dnsName(text: string): Buffer {
  return der(0x82, Buffer.from(text, 'latin1'));
}

export function issue(request: CertificateRequest = {}): Issued {
  const { dnsNames = [], isAuthority = false, isVersion1 = false, digest = 'sha256' } = request;
  const commonName = request.commonName ?? dnsNames[0] ?? 'test';
  const key = request.key ?? generateKey();
  const issuer = request.issuer ?? { commonName, key };
  const signer = request.signingKey ?? issuer.key;
  const algorithm = signatureAlgorithm(signer, digest);
  const alternativeNames = request.alternativeNames ?? Buffer.concat(dnsNames.map(dnsName));
  const extensions = [
    extension('2.5.29.19', isAuthority ? sequence(yes) : sequence(), true),
    ...(alternativeNames.length === 0 ? [] : [extension('2.5.29.17', sequence(alternativeNames))]),
  ];
  const content = sequence(
    ...(isVersion1 ? [] : [der(0xa0, integer(Buffer.from([2])))]),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    name(issuer.commonName),
    sequence(
      time(request.notBefore ?? '2020-01-01T00:00:00Z'),
      time(request.notAfter ?? '2120-01-01T00:00:00Z'),
    ),
    name(commonName),
    createPublicKey(key).export({ format: 'der', type: 'spki' }),
    ...(isVersion1 ? [] : [der(0xa3, sequence(...extensions))]),
  );
  const isEdwards = signer.asymmetricKeyType === 'ed25519' || signer.asymmetricKeyType === 'ed448';
  const signature = sign(isEdwards ? null : digest, content, signer);
  const certificate = sequence(content, algorithm, bits(signature));
  return {
    commonName,
    key,
    der: certificate,
    certificate: pem('CERTIFICATE', certificate),
    keyPem: pkcs8(key),
  };
}

export interface TestAuthority {
  readonly root: Issued;
  readonly intermediate: Issued;
  /** A leaf of the intermediate. */
  readonly issue: (request: CertificateRequest) => Issued;
  /** What a tls.crt holds: the leaf, then the intermediate. */
  readonly chainOf: (leaf: Issued) => string;
}

export function createAuthority(commonName = 'Test CA'): TestAuthority {
  const root = issue({ commonName: `${commonName} root`, isAuthority: true });
  const intermediate = issue({ commonName, isAuthority: true, issuer: root });
  return {
    root,
    intermediate,
    issue: (request) => issue({ issuer: intermediate, ...request }),
    chainOf: (leaf) => leaf.certificate + intermediate.certificate,
  };
}
