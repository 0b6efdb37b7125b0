// One file of test/translate/cases: objects, a separator, and what translation makes of them.
import { parseAllDocuments, parse, Document, isCollection, isMap, visit } from 'yaml';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { canonicalJson } from '#model/canonical-json.ts';
import type { Claim, ClusterView } from '#translate/cluster-view.ts';
import type { Translation } from '#translate/translate.ts';

const separator = '# ---- expected\n';
const now = '2024-06-01T00:00:00Z';
const lineLength = 140;

const ourClass: KubernetesObject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: 'flint' },
  spec: { controller: 'flint.dev/ingress-controller' },
};

export interface GoldenCase {
  readonly view: ClusterView;
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
  return {
    view: viewOf(objects),
    expected: expected === undefined ? undefined : parse(expected),
    rewritten: (actual) => `${input}${separator}${expectationText(actual)}`,
  };
}

/**
 * The ledger of claims stands in a ConfigMap named claims, as `host: namespace since`. A case without any IngressClass
 * gets one of ours.
 */
function viewOf(objects: readonly KubernetesObject[]): ClusterView {
  const ofKind = (kind: string): readonly KubernetesObject[] =>
    objects.filter((object) => object.kind === kind);
  const classes = ofKind('IngressClass');
  const claims = ofKind('ConfigMap').flatMap((object) => Object.entries(object['data'] as object));
  return {
    ingressRoutes: ofKind('IngressRoute'),
    ingressClasses: classes.length === 0 ? [ourClass] : classes,
    services: ofKind('Service'),
    endpointSlices: ofKind('EndpointSlice'),
    claims: new Map(claims.map(([host, claim]) => [host, claimOf(String(claim))])),
    now,
  };
}

function claimOf(text: string): Claim {
  const [namespace = '', since = ''] = text.split(' ');
  return { namespace, since };
}

/** What a case expects: settings are left out, since they are the same in every case. */
export function outcomeOf({ model, verdicts, claims }: Translation): unknown {
  return {
    hosts: model.hosts,
    upstreams: model.upstreams,
    verdicts,
    claims: Object.fromEntries([...claims].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** YAML in block style, but whatever fits on a line stands on one. */
function expectationText(value: unknown): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Collection: (_, node, path) => {
      if (path.length === 1 || !isCollection(node)) return;
      const depth = path.filter((each) => isMap(each)).length;
      node.flow = canonicalJson(node.toJS(document)).length + 4 * depth <= lineLength;
      if (node.flow) return visit.SKIP;
      return undefined;
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}
