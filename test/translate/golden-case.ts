// One file of test/translate/cases: objects, a separator, and what translation makes of them.
//
// Besides Kubernetes objects a case may have
//   a ConfigMap named claims    the ledger, `host: namespace since`
//   a Secret's stringData       `chain of shop`, `key of shop`: those of test-pairs.ts, so that no file holds a key
//                               `ca of private`: that of test-authorities.ts
//   kind LastGood               what was served last under its name, `pair: shop`
//   kind Settings               what differs from the default settings
import { parseAllDocuments, parse } from 'yaml';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { collectionOf } from '#local/local-cluster.ts';
import { canonicalJson } from '#model/canonical-json.ts';
import { plainBackend, plainTls } from '#model/plain-terms.ts';
import type { Certificate, Upstream, VirtualHost } from '#model/route-model.ts';
import type { Claim, ClusterView, TranslateSettings } from '#translate/cluster-view.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import type { Translation } from '#translate/translation.ts';
import { goldenText } from '../golden-text.ts';
import { testSessionKey } from './empty-view.ts';
import { namesOfAuthorities, testAuthorities } from './test-authorities.ts';
import { certificateOf, fitPairs, testPairs } from './test-pairs.ts';

const separator = '# ---- expected\n';
const now = '2024-06-01T00:00:00Z';

const ourClass: KubernetesObject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: 'flint' },
  spec: { controller: 'flint.dev/ingress-controller' },
};

export interface GoldenCase {
  readonly view: ClusterView;
  readonly settings: TranslateSettings;
  /** Undefined for a new case. */
  readonly expected: unknown;
  /** The same file with another expectation. */
  rewritten(actual: unknown): string;
}

export function parseGoldenCase(text: string): GoldenCase {
  const [input = '', expected] = text.split(separator);
  if (!input.startsWith('# ')) throw new Error('a case starts with a comment that says what it shows');
  const objects = parseAllDocuments(input).map((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    return document.toJS() as KubernetesObject;
  });
  const settings = objects.find(({ kind }) => kind === 'Settings')?.['spec'] ?? {};
  return {
    view: viewOf(objects),
    settings: { ...defaultTranslateSettings, ...(settings as Partial<TranslateSettings>) },
    expected: expected === undefined ? undefined : parse(expected),
    rewritten: (actual) => `${input}${separator}${goldenText(actual)}`,
  };
}

/** A case without any IngressClass gets one of ours. */
function viewOf(objects: readonly KubernetesObject[]): ClusterView {
  const ofKind = (kind: string): readonly KubernetesObject[] =>
    objects.filter((object) => object.kind === kind);
  const classes = ofKind('IngressClass');
  const claims = ofKind('ConfigMap').flatMap((object) => Object.entries(object['data'] as object));
  const lastGood = ofKind('LastGood').map(lastGoodOf);
  return {
    ingressRoutes: ofKind('IngressRoute'),
    ingresses: ofKind('Ingress'),
    ingressClasses: classes.length === 0 ? [ourClass] : classes,
    services: ofKind('Service'),
    endpointSlices: ofKind('EndpointSlice'),
    // As whoever lists them chooses, by their type.
    secrets: ofKind('Secret')
      .filter((object) => collectionOf(object) === 'secrets')
      .map(withPairs),
    nodes: ofKind('Node'),
    issuedCertificates: ofKind('Certificate'),
    lastGood: new Map(lastGood.map((certificate) => [certificate.id, certificate])),
    sessionKey: testSessionKey,
    claims: new Map(claims.map(([host, claim]) => [host, claimOf(String(claim))])),
    now,
  };
}

function claimOf(text: string): Claim {
  const [namespace = '', since = ''] = text.split(' ');
  return { namespace, since };
}

function withPairs(secret: KubernetesObject): KubernetesObject {
  const { stringData } = secret as { readonly stringData?: Readonly<Record<string, string>> };
  if (stringData === undefined) return secret;
  const entries = Object.entries(stringData).map(([key, text]) => {
    const [, part, name = ''] = /^(chain|key|ca) of ([a-z-]+)$/.exec(text) ?? [];
    if (part === 'ca') return [key, testAuthorities[name] ?? ''];
    const pair = testPairs[name];
    if (part !== undefined && pair === undefined) throw new Error(`there is no pair ${name}`);
    return [key, pair === undefined ? text : part === 'key' ? pair.key : pair.chain];
  });
  return { ...secret, stringData: Object.fromEntries(entries) as unknown };
}

function lastGoodOf({ metadata, ...object }: KubernetesObject): Certificate {
  const name = String(object['pair']);
  const pair = testPairs[name];
  if (pair === undefined) throw new Error(`there is no pair ${name}`);
  return certificateOf(`${metadata.namespace}/${metadata.name}`, pair);
}

const pairNames = new Map(
  Object.entries(fitPairs).map(([name, pair]) => [certificateOf('', pair).fingerprint, name]),
);

/** Without chain and key; of a pair that is made anew in each run its name is the fingerprint. */
function describe({ id, dnsNames, notAfter, fingerprint }: Certificate): object {
  const pair = pairNames.get(fingerprint);
  return { id, dnsNames, notAfter, ...(pair === undefined ? { fingerprint } : { pair }) };
}

/** Most hosts have nothing to do with TLS, and most backends are spoken to in the clear: that is left out. */
function describeHost(host: VirtualHost): object {
  const { clientValidation } = host;
  const authorities =
    clientValidation.kind === 'None' ? '' : namesOfAuthorities(clientValidation.authorities);
  const named =
    clientValidation.kind === 'None'
      ? host
      : { ...host, clientValidation: { ...clientValidation, authorities } };
  return without(named, { plaintext: 'Serve', ...plainTls });
}

function describeUpstream(upstream: Upstream): object {
  const { tls } = upstream;
  if (tls.kind === 'None' || tls.authorities.kind === 'System') return without(upstream, plainBackend);
  const authorities = { kind: 'Pem', pem: namesOfAuthorities(tls.authorities.pem) };
  return without({ ...upstream, tls: { ...tls, authorities } }, plainBackend);
}

function without(value: object, usual: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(
    Object.entries(value).filter(
      ([key, field]) => !(key in usual) || canonicalJson(field) !== canonicalJson(usual[key]),
    ),
  );
}

function withoutUndefined(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** What a case expects. Of the settings only the default backend and certificate are a matter of translation. */
export function outcomeOf(translation: Translation): unknown {
  const { model, verdicts, claims, certificateRequests, problems } = translation;
  const { settings, zones, hosts, upstreams, certificates, keys } = model;
  const { fallback, defaultCertificate } = settings;
  return {
    ...(defaultCertificate.kind === 'None' ? {} : { defaultCertificate: defaultCertificate.certificate }),
    ...(fallback.kind === 'NotFound' ? {} : { fallback }),
    ...(zones.length === 0 ? {} : { zones }),
    hosts: hosts.map(describeHost),
    upstreams: upstreams.map(describeUpstream),
    ...(certificates.length === 0 ? {} : { certificates: certificates.map(describe) }),
    ...(keys.length === 0 ? {} : { keys: keys.map(({ id }) => id) }),
    ...(certificateRequests.length === 0
      ? {}
      : { certificateRequests: withoutUndefined(certificateRequests) }),
    ...(problems.length === 0 ? {} : { problems }),
    verdicts,
    claims: Object.fromEntries([...claims].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}
