// What the API server would say of an object: the CRD's own schema and CEL rules, evaluated here.
//
// The schema goes through ajv, the rules through a CEL library. Both see the CRD as it is installed in a cluster, so
// there is no second copy of any rule. Unknown fields are problems, as under strict validation.
import { Environment } from '@marcbachmann/cel-js';
import { Ajv } from 'ajv';
import type { ErrorObject, ValidateFunction } from 'ajv';
import { RE2JS } from 're2js';
import { isFields } from './field-reader.ts';
import { isCidr } from './ip-address.ts';
import { metadataProblems, withoutNulls } from './kubernetes-object.ts';
import type { KubernetesObject } from './kubernetes-object.ts';
import type { Problem } from './problem.ts';

interface CelRule {
  readonly rule: string;
  readonly message?: string;
  readonly fieldPath?: string;
}

/** The part of OpenAPI v3 that structural schemas use. */
interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly 'x-kubernetes-validations'?: readonly CelRule[];
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly [keyword: string]: unknown;
}

interface CrdVersion {
  readonly name: string;
  readonly served: boolean;
  readonly schema: { readonly openAPIV3Schema: Schema };
}

export interface Crd {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly CrdVersion[];
  };
}

/** Every problem of one object, in the order of its fields; empty when the API server would store it. */
export type CrdValidator = (object: KubernetesObject) => readonly Problem[];

/** Validators by `apiVersion kind`, one for each served version. Throws when a rule of the CRD does not compile. */
export function compileCrd(crd: Crd): ReadonlyMap<string, CrdValidator> {
  const { group, names, versions } = crd.spec;
  return new Map(
    versions
      .filter((version) => version.served)
      .map((version) => [`${group}/${version.name} ${names.kind}`, compileVersion(version)]),
  );
}

function compileVersion(version: CrdVersion): CrdValidator {
  const schema = version.schema.openAPIV3Schema;
  const ajv = new Ajv({ allErrors: true, strict: true, verbose: true, formats });
  const validate = ajv.compile(closed(schema, true));
  const environment = celEnvironment();
  const rules = compileRules(schema, environment);
  return (given) => {
    const object = withoutNulls(given);
    const problems = schemaProblems(validate, object);
    problems.push(...metadataProblems(object));
    listTypeProblems(schema, object, '', problems);
    // The API server evaluates rules only on what has the right shape; so do we, or they would complain in riddles.
    if (problems.length === 0) evaluate(rules, schema, object, '', problems);
    return problems;
  };
}

// The schema

const passedOn = new Set([
  'type',
  'enum',
  'pattern',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minimum',
  'maximum',
  'required',
  'format',
]);

/** RFC 3339, as Go reads it. */
const dateTime =
  /^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})$/;

/** The ranges of int32 and int64 that matter stand in the schema as minimum and maximum. */
const formats = { 'date-time': dateTime, int32: true, int64: true } as const;

/** The same schema for ajv, with unknown fields refused. Metadata is the API server's own business. */
function closed(schema: Schema, isRoot = false): Readonly<Record<string, unknown>> {
  const result: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(schema)) if (passedOn.has(keyword)) result[keyword] = value;
  if (schema.items !== undefined) result['items'] = closed(schema.items);
  if (schema.properties !== undefined) {
    result['properties'] = Object.fromEntries(
      Object.entries(schema.properties).map(([name, property]) => [
        name,
        isRoot && name === 'metadata' ? { type: 'object' } : closed(property),
      ]),
    );
    result['additionalProperties'] = false;
  }
  return result;
}

function schemaProblems(validate: ValidateFunction, object: unknown): Problem[] {
  if (validate(object)) return [];
  return (validate.errors ?? []).map((error) => ({ reason: 'Invalid', ...describe(error) }));
}

function describe(error: ErrorObject): { at: string; message: string } {
  const at = placeOf(error.instancePath);
  const params: Readonly<Record<string, unknown>> = error.params;
  switch (error.keyword) {
    case 'additionalProperties':
      return { at: join(at, String(params['additionalProperty'])), message: 'is an unknown field' };
    case 'required':
      return { at: join(at, String(params['missingProperty'])), message: 'is required' };
    case 'enum':
      return {
        at,
        message: `${quote(error.data)} is none of ${(params['allowedValues'] as string[]).join(', ')}`,
      };
    case 'pattern':
      return { at, message: `${quote(error.data)} must match ${String(params['pattern'])}` };
    default:
      return { at, message: error.message ?? 'is invalid' };
  }
}

function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** `/spec/rules/0/name` -> `spec.rules[0].name`. */
function placeOf(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((place, part) => (/^[0-9]+$/.test(part) ? `${place}[${part}]` : join(place, part)), '');
}

function join(place: string, field: string): string {
  return place === '' ? field : `${place}.${field}`;
}

/** Sets hold no value twice, maps no key twice: keywords of Kubernetes that no JSON schema validator knows. */
function listTypeProblems(schema: Schema, value: unknown, at: string, problems: Problem[]): void {
  if (Array.isArray(value) && schema.items !== undefined) {
    const identity = identityOf(schema);
    const seen = new Set<string>();
    for (const [index, item] of value.entries()) {
      const place = `${at}[${index}]`;
      const key = identity?.(item);
      if (key !== undefined && seen.has(key))
        problems.push({ reason: 'Invalid', at: place, message: `is a duplicate of another entry: ${key}` });
      if (key !== undefined) seen.add(key);
      listTypeProblems(schema.items, item, place, problems);
    }
  } else if (isFields(value) && schema.properties !== undefined)
    for (const [name, property] of Object.entries(schema.properties))
      if (Object.hasOwn(value, name)) listTypeProblems(property, value[name], join(at, name), problems);
}

function identityOf(schema: Schema): ((item: unknown) => string) | undefined {
  if (schema['x-kubernetes-list-type'] === 'set') return (item) => JSON.stringify(item);
  const keys = schema['x-kubernetes-list-map-keys'];
  if (keys === undefined) return undefined;
  return (item) => JSON.stringify(keys.map((key) => (isFields(item) ? (item[key] ?? null) : null)));
}

// The rules

type Evaluator = (variables: { readonly self: unknown }) => unknown;

/** The functions of Kubernetes' CEL library that our rules use and the CEL library here lacks. */
function celEnvironment(): Environment {
  return new Environment({ unlistedVariablesAreDyn: true })
    .registerFunction('list.sum(): dyn', (list: readonly (bigint | number)[]) =>
      list.reduce<bigint>((sum, each) => sum + BigInt(each), 0n),
    )
    .registerFunction('isCIDR(string): bool', isCidr)
    .registerFunction('string.matchesRe2(string): bool', (text: string, pattern: string) =>
      RE2JS.compile(pattern).matcher(text).find(),
    );
}

/** CEL's matches is RE2, unanchored; the library's own is JavaScript's RegExp, and it cannot be replaced by name. */
function withRe2(rule: string): string {
  return rule.replaceAll('.matches(', '.matchesRe2(');
}

function compileRules(schema: Schema, environment: Environment): ReadonlyMap<string, Evaluator> {
  const compiled = new Map<string, Evaluator>();
  const visit = (each: Schema): void => {
    for (const { rule } of each['x-kubernetes-validations'] ?? [])
      compiled.set(rule, environment.parse(withRe2(rule)) as Evaluator);
    if (each.items !== undefined) visit(each.items);
    for (const property of Object.values(each.properties ?? {})) visit(property);
  };
  visit(schema);
  return compiled;
}

function evaluate(
  rules: ReadonlyMap<string, Evaluator>,
  schema: Schema,
  value: unknown,
  at: string,
  problems: Problem[],
): void {
  for (const { rule, message, fieldPath } of schema['x-kubernetes-validations'] ?? []) {
    const failure = failureOf(rules.get(rule), celValue(schema, value));
    if (failure !== undefined)
      problems.push({
        reason: 'Invalid',
        at: `${at}${fieldPath ?? ''}`,
        message: message ?? `fails ${rule}${failure}`,
      });
  }
  if (Array.isArray(value) && schema.items !== undefined) {
    for (const [index, item] of value.entries())
      evaluate(rules, schema.items, item, `${at}[${index}]`, problems);
  } else if (isFields(value))
    for (const [name, property] of Object.entries(schema.properties ?? {}))
      if (Object.hasOwn(value, name)) evaluate(rules, property, value[name], join(at, name), problems);
}

/** Undefined when the rule holds. A rule that cannot be evaluated refuses the object, as the API server does. */
function failureOf(rule: Evaluator | undefined, self: unknown): string | undefined {
  try {
    return rule?.({ self }) === true ? undefined : '';
  } catch (error) {
    return `: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** CEL knows integers; JSON in JavaScript does not. */
function celValue(schema: Schema, value: unknown): unknown {
  if (schema.type === 'integer' && typeof value === 'number') return BigInt(value);
  const { items, properties } = schema;
  if (Array.isArray(value)) return items === undefined ? value : value.map((item) => celValue(items, item));
  if (!isFields(value) || properties === undefined) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => {
      const property = properties[name];
      return [name, property === undefined ? field : celValue(property, field)];
    }),
  );
}
