// What of each object is worth keeping: a cluster's objects are mostly bookkeeping that no route depends on, and the
// operator holds all of them. Every kind keeps what translation and status read, and nothing else.
import { packEndpoints, packedEndpoints } from '#api/endpoint-slice.ts';
import type { KubeObject } from '#kube/source.ts';

type Fields = Readonly<Record<string, unknown>>;

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
/** The labels that somebody here reads. */
const readLabels = [
  'kubernetes.io/service-name',
  'topology.kubernetes.io/zone',
  'acme.cert-manager.io/http01-solver',
  'app.kubernetes.io/managed-by',
];

export function slimRoute(object: KubeObject): KubeObject {
  const { status, ...rest } = object;
  return {
    ...rest,
    metadata: metadataOf(object, true),
    ...(status === undefined ? {} : { status: sharedStatus(status) }),
  };
}

export function slimService(object: KubeObject): KubeObject {
  const { type, ports, ipFamilies, externalName } = fieldsOf(object['spec']);
  return ageless(object, {
    spec: shared({
      type,
      ports: listOf(ports).map((port) => pick(fieldsOf(port), ['name', 'port', 'protocol', 'appProtocol'])),
      ipFamilies,
      externalName,
    }),
    status: shared(pick(fieldsOf(object['status']), ['loadBalancer'])),
  });
}

/** Of which there are most. */
export function slimEndpointSlice(object: KubeObject): KubeObject {
  if (packedEndpoints(object) !== undefined) return object;
  const { addressType, ports, endpoints } = object as Fields;
  const slim = ageless(object, {
    addressType,
    ports: shared(ports),
    endpoints: listOf(endpoints).map((endpoint) => {
      const { addresses, conditions, hints, zone } = fieldsOf(endpoint);
      return withoutUndefined({
        addresses: listOf(addresses).slice(0, 1),
        conditions: isReady(conditions) ? undefined : conditions,
        hints,
        zone,
      });
    }),
  });
  return packEndpoints(slim);
}

export function slimSecret(object: KubeObject): KubeObject {
  const data = fieldsOf(object['data']);
  const { 'ca.crt': authorities } = data;
  return bare(object, {
    type: object['type'],
    data: {
      ...pick(data, ['tls.crt', 'tls.key']),
      // The same in every Secret of one issuer.
      ...(typeof authorities === 'string' ? { 'ca.crt': sharedText(authorities) } : {}),
    },
  });
}

export function slimNode(object: KubeObject): KubeObject {
  const { addresses, conditions } = fieldsOf(object['status']);
  return bare(object, { status: { addresses, conditions: readyCondition(conditions) } });
}

export function slimPod(object: KubeObject): KubeObject {
  const { nodeName, containers } = fieldsOf(object['spec']);
  const { podIP, conditions } = fieldsOf(object['status']);
  const rest = {
    spec: {
      nodeName,
      containers: listOf(containers).map((container) => pick(fieldsOf(container), ['ports'])),
    },
    status: { podIP, conditions: readyCondition(conditions) },
  };
  return bare(object, rest, true);
}

function bare(object: KubeObject, rest: Fields, hasAnnotations = false): KubeObject {
  const { apiVersion, kind } = object;
  return { apiVersion, kind, metadata: metadataOf(object, hasAnnotations), ...rest };
}

/** One that nobody asks how old it is, or whether it is still the same one. */
function ageless(object: KubeObject, rest: Fields): KubeObject {
  const slim = bare(object, rest);
  const { uid: _uid, creationTimestamp: _age, generation: _generation, ...metadata } = slim.metadata;
  return { ...slim, metadata };
}

function metadataOf({ metadata }: KubeObject, hasAnnotations: boolean): KubeObject['metadata'] {
  const { name, namespace, uid, resourceVersion } = metadata;
  const annotations = Object.entries(fieldsOf(metadata['annotations'])).filter(
    ([key]) => hasAnnotations && key !== lastApplied,
  );
  const labels = pick(fieldsOf(metadata['labels']), readLabels);
  const { generation, creationTimestamp, deletionTimestamp } = metadata as Fields;
  return withoutUndefined({
    name,
    namespace,
    uid,
    resourceVersion,
    generation,
    creationTimestamp,
    deletionTimestamp,
    labels: Object.keys(labels).length === 0 ? undefined : labels,
    annotations: annotations.length === 0 ? undefined : Object.fromEntries(annotations),
  }) as KubeObject['metadata'];
}

/** Values that were seen before, by their JSON: most Services and conditions say one of a few things. */
const seen = new Map<string, unknown>();
const mostSeen = 10_000;

function shared(value: unknown): unknown {
  if (typeof value === 'string') return sharedText(value);
  const text = JSON.stringify(value);
  const known = seen.get(text);
  if (known !== undefined) return known;
  if (seen.size >= mostSeen) seen.clear();
  seen.set(text, value);
  return value;
}

const seenTexts = new Map<string, string>();

function sharedText(text: string): string {
  const known = seenTexts.get(text);
  if (known !== undefined) return known;
  if (seenTexts.size >= mostSeen) seenTexts.clear();
  seenTexts.set(text, text);
  return text;
}

/** Thousands of routes are Ready in the same words. */
function sharedStatus(status: unknown): unknown {
  const { conditions, ...rest } = fieldsOf(status);
  if (!Array.isArray(conditions)) return status;
  return { ...rest, conditions: (conditions as readonly unknown[]).map(shared) };
}

/** As absent conditions say it, too. */
function isReady(conditions: unknown): boolean {
  const { ready, serving, terminating } = fieldsOf(conditions);
  return ready === true && serving === true && terminating === false;
}

function readyCondition(conditions: unknown): readonly Fields[] {
  return listOf(conditions)
    .map(fieldsOf)
    .filter(({ type }) => type === 'Ready')
    .map((condition) => pick(condition, ['type', 'status']));
}

function pick(fields: Fields, keys: readonly string[]): Fields {
  return withoutUndefined(Object.fromEntries(keys.map((key) => [key, fields[key]])));
}

function withoutUndefined(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}
