// networking.k8s.io/v1 Ingress as users write it, and the parser that turns an object of unknown shape into one.
import { FieldReader } from './field-reader.ts';
import { hostnameFault } from './hostname.ts';
import type { Parsed } from './ingress-route.ts';
import { metaText, readMeta } from './kubernetes-object.ts';
import type { KubernetesObject } from './kubernetes-object.ts';
import type { Problem } from './problem.ts';

const pathTypes = ['Exact', 'Prefix', 'ImplementationSpecific'] as const;
const classAnnotation = 'kubernetes.io/ingress.class';
const solverLabel = 'acme.cert-manager.io/http01-solver';

export type IngressPathType = (typeof pathTypes)[number];

export interface Ingress {
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  /** RFC 3339, as the API server wrote it; empty for an object that never met one. */
  readonly creationTimestamp: string;
  readonly ingressClassName?: string | undefined;
  /** The class by the annotation that came before the field; empty when there is none. */
  readonly classAnnotation: string;
  /** It has the label of an Ingress that cert-manager makes for an HTTP-01 challenge. */
  readonly hasSolverLabel: boolean;
  readonly defaultBackend?: IngressBackend | undefined;
  readonly rules: readonly IngressRule[];
  readonly tls: readonly IngressTls[];
  /** What could not be used and costs only itself. */
  readonly problems: readonly Problem[];
}

export interface IngressRule {
  /** As users write it, "*" where they wrote none; undefined where it is no host, of which a Problem speaks. */
  readonly hostname: string | undefined;
  readonly paths: readonly IngressPath[];
}

export interface IngressPath {
  /** Its place in `http.paths`: those that cannot be used are left out of the list. */
  readonly index: number;
  readonly type: IngressPathType;
  /** Empty where none is written. */
  readonly path: string;
  readonly backend: IngressBackend;
}

export type IngressBackend =
  /** A port by its number or by its name. */
  | { readonly kind: 'Service'; readonly name: string; readonly port: number | string }
  /** Not one that requests can be sent to; a Problem says why. */
  | { readonly kind: 'Unusable' };

export interface IngressTls {
  readonly index: number;
  /** Empty: every host of the Ingress. */
  readonly hosts: readonly string[];
  /** Empty where none is written. */
  readonly secretName: string;
}

/**
 * Parses what the API server stored. It owns this schema and refuses most of what is wrong, so what it lets through and
 * cannot be used costs only the rule, path or backend it stands in; the whole object is refused for types that no API
 * server stores.
 */
export function parseIngress(object: KubernetesObject): Parsed<Ingress> {
  const faults: Problem[] = [];
  const problems: Problem[] = [];
  const spec = new FieldReader(object['spec'] ?? {}, 'spec', faults);
  const { namespace, name, generation, creationTimestamp } = readMeta(object);
  const value: Ingress = {
    namespace,
    name,
    generation,
    creationTimestamp,
    ingressClassName: spec.string('ingressClassName'),
    classAnnotation: metaText(object, 'annotations', classAnnotation),
    hasSolverLabel: metaText(object, 'labels', solverLabel) === 'true',
    defaultBackend: readOptionalBackend(spec, 'defaultBackend', problems),
    rules: objectsOf(spec, 'rules').map((rule) => readRule(rule, problems)),
    tls: objectsOf(spec, 'tls').map(readTls),
    problems,
  };
  return faults.length === 0 ? { kind: 'Parsed', value } : { kind: 'Refused', problems: faults };
}

/** The API server sets no bound but the size of an object. */
function objectsOf(reader: FieldReader, key: string): readonly FieldReader[] {
  return reader.objects(key, Infinity);
}

function readRule(rule: FieldReader, problems: Problem[]): IngressRule {
  const http = rule.object('http');
  const paths =
    http === undefined
      ? []
      : objectsOf(http, 'paths').flatMap((path, index) => readPath(path, index, problems));
  return { hostname: readHost(rule, problems), paths };
}

function readHost(rule: FieldReader, problems: Problem[]): string | undefined {
  const host = rule.string('host') ?? '';
  if (host === '') return '*';
  const fault = host === '*' ? 'is no host; a rule without one takes every host' : hostnameFault(host);
  if (fault === undefined) return host;
  problems.push(invalid(rule.place('host'), `"${host}" ${fault}`));
  return undefined;
}

function readPath(path: FieldReader, index: number, problems: Problem[]): readonly IngressPath[] {
  const written = path.string('pathType');
  const value = path.string('path') ?? '';
  const backend = readOptionalBackend(path, 'backend', problems) ?? missingBackend(path, problems);
  const type = pathTypes.find((each) => each === written);
  if (type !== undefined) return [{ index, type, path: value, backend }];
  const found = written === undefined ? 'is required' : `"${written}" is unknown to this version of Flint`;
  problems.push(invalid(path.place('pathType'), found));
  return [];
}

function missingBackend(path: FieldReader, problems: Problem[]): IngressBackend {
  problems.push(invalid(path.place('backend'), 'is required'));
  return { kind: 'Unusable' };
}

function readOptionalBackend(
  reader: FieldReader,
  key: string,
  problems: Problem[],
): IngressBackend | undefined {
  const backend = reader.object(key);
  if (backend === undefined) return undefined;
  const service = backend.object('service');
  if (service === undefined) {
    const [at, message] = backend.has('resource')
      ? [backend.place('resource'), 'a resource is no backend here; only a Service is']
      : [backend.place('service'), 'is required'];
    problems.push(invalid(at, message));
    return { kind: 'Unusable' };
  }
  const name = service.requiredString('name');
  const port = readPort(service);
  if (port !== undefined) return { kind: 'Service', name, port };
  problems.push(invalid(service.place('port'), 'needs either a number or a name'));
  return { kind: 'Unusable' };
}

function readPort(service: FieldReader): number | string | undefined {
  const port = service.object('port');
  const name = port?.string('name') ?? '';
  // The API server writes a number that is 0 as none at all.
  const number = port?.integer('number', 0, 65_535) ?? 0;
  if ((name === '') === (number === 0)) return undefined;
  return name === '' ? number : name;
}

function readTls(tls: FieldReader, index: number): IngressTls {
  return { index, hosts: tls.strings('hosts', Infinity), secretName: tls.string('secretName') ?? '' };
}

function invalid(at: string, message: string): Problem {
  return { reason: 'Invalid', at, message };
}
