// spec.tls of an IngressRoute as users write it: certificates, and what its hosts ask of clients.
import { readCaCertificateRefs } from './ca-certificate-refs.ts';
import { parseDurationMs } from './duration.ts';
import type { FieldReader } from './field-reader.ts';
import { readName } from './object-name.ts';

export interface IssuerRef {
  readonly name: string;
  readonly kind?: string | undefined;
  readonly group?: string | undefined;
}

export interface RouteTls {
  /** Who ends TLS: we (Terminate, also where this is absent) or backends. */
  readonly mode?: TlsMode | undefined;
  /** Names of Secrets of the same namespace; none with Passthrough. */
  readonly certificateRefs: readonly string[];
  readonly issuerRef?: IssuerRef | undefined;
  /** What plain HTTP gets; absent: Redirect. */
  readonly plaintext?: Plaintext | undefined;
  /** The lowest that is spoken; absent: 1.2. */
  readonly minVersion?: TlsVersion | undefined;
  /** Absent: clients are not asked for certificates. */
  readonly validation?: ClientValidation | undefined;
  /** Absent: nothing is said to clients. */
  readonly strictTransportSecurity?: StrictTransportSecurity | undefined;
}

export type Plaintext = 'Redirect' | 'Serve' | 'Reject';
export type TlsMode = 'Terminate' | 'Passthrough';
export type TlsVersion = '1.2' | '1.3';

export interface ClientValidation {
  /** Names of Secrets of the same namespace. */
  readonly caCertificateRefs: readonly string[];
  /** Absent: AllowValidOnly. */
  readonly mode?: 'AllowValidOnly' | 'AllowInsecureFallback' | undefined;
}

export interface StrictTransportSecurity {
  readonly maxAgeMs: number;
  readonly includeSubDomains?: boolean | undefined;
  readonly preload?: boolean | undefined;
}

const kindName = /^[A-Z][A-Za-z0-9]{0,62}$/;
const objectName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
/** Fields that mean something only where TLS is ended here. */
const ofTermination = ['certificateRefs', 'issuerRef', 'minVersion', 'validation', 'strictTransportSecurity'];
/** What the lists that browsers carry ask for. */
const preloadedMs = 31_536_000_000;

export function readTls(tls: FieldReader | undefined, hostnames: readonly string[]): RouteTls | undefined {
  if (tls === undefined) return undefined;
  tls.refuseUnknown(['mode', 'plaintext', ...ofTermination]);
  const mode = tls.oneOf('mode', ['Terminate', 'Passthrough']);
  const certificateRefs = readSecretNames(tls, 'certificateRefs');
  if (mode === 'Passthrough') {
    for (const key of ofTermination)
      if (tls.has(key)) tls.refuse(key, 'has no use with Passthrough: a backend ends TLS');
    if (tls.string('plaintext') === 'Serve')
      tls.refuse('plaintext', 'cannot be Serve with Passthrough: no request is ever seen');
  } else if (certificateRefs.length === 0) tls.refuse('certificateRefs', 'needs at least one Secret');
  const validation = readValidation(tls.object('validation'));
  const isMust = validation !== undefined && validation.mode !== 'AllowInsecureFallback';
  if (isMust && mode !== 'Passthrough' && tls.string('plaintext') === 'Serve')
    tls.refuse('plaintext', 'cannot be Serve where a client certificate is a must: plain HTTP has none');
  return {
    mode,
    validation,
    certificateRefs,
    issuerRef: readIssuer(tls, certificateRefs, hostnames),
    plaintext: tls.oneOf('plaintext', ['Redirect', 'Serve', 'Reject']),
    minVersion: tls.oneOf('minVersion', ['1.2', '1.3']),
    strictTransportSecurity: readStrictTransport(tls.object('strictTransportSecurity')),
  };
}

function readSecretNames(tls: FieldReader, key: string): readonly string[] {
  const names = tls.objects(key, 8).map((ref) => {
    ref.refuseUnknown(['name']);
    const name = ref.requiredString('name');
    if (name.length > 253 || !objectName.test(name)) ref.refuse('name', `"${name}" is no name of a Secret`);
    return name;
  });
  if (new Set(names).size < names.length) tls.refuse(key, 'names a Secret twice');
  return names;
}

function readIssuer(
  tls: FieldReader,
  certificateRefs: readonly string[],
  hostnames: readonly string[],
): IssuerRef | undefined {
  const issuer = tls.object('issuerRef');
  if (issuer === undefined) return undefined;
  issuer.refuseUnknown(['name', 'kind', 'group']);
  if (certificateRefs.length > 1) tls.refuse('issuerRef', 'needs exactly one entry in certificateRefs');
  if (hostnames.includes('*')) tls.refuse('issuerRef', 'cannot issue a certificate for the host "*"');
  const issuerRef: IssuerRef = {
    name: issuer.requiredString('name'),
    kind: readName(issuer, 'kind', kindName),
    group: readName(issuer, 'group', objectName),
  };
  if (issuerRef.name.length > 253 || !objectName.test(issuerRef.name))
    issuer.refuse('name', `"${issuerRef.name}" is no name of an issuer`);
  return issuerRef;
}

function readValidation(validation: FieldReader | undefined): ClientValidation | undefined {
  if (validation === undefined) return undefined;
  validation.refuseUnknown(['caCertificateRefs', 'mode']);
  const caCertificateRefs = readCaCertificateRefs(validation);
  if (caCertificateRefs.length === 0) validation.refuse('caCertificateRefs', 'needs at least one Secret');
  return { caCertificateRefs, mode: validation.oneOf('mode', ['AllowValidOnly', 'AllowInsecureFallback']) };
}

function readStrictTransport(policy: FieldReader | undefined): StrictTransportSecurity | undefined {
  if (policy === undefined) return undefined;
  policy.refuseUnknown(['maxAge', 'includeSubDomains', 'preload']);
  const text = policy.requiredString('maxAge');
  const maxAgeMs = parseDurationMs(text);
  if (maxAgeMs === undefined) policy.refuse('maxAge', `"${text}" is no duration such as 24h or 8760h`);
  const includeSubDomains = policy.boolean('includeSubDomains');
  const preload = policy.boolean('preload');
  if (preload === true && !(includeSubDomains === true && (maxAgeMs ?? 0) >= preloadedMs))
    policy.refuse('preload', 'needs includeSubDomains and a maxAge of at least 8760h, a year');
  return { maxAgeMs: maxAgeMs ?? 0, includeSubDomains, preload };
}
