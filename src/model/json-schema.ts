// The part of JSON Schema that our own formats are written in, compiled to plain functions.
//
// Every data plane compiles these schemas when it starts. A general compiler, which writes source text for the runtime to
// parse, took 25 MB of a data plane's memory (40 MB on Node) and most of the time until its first table.

export type Schema = Readonly<Record<string, unknown>>;

export interface SchemaError {
  /** JSON Pointer; empty for the value itself. */
  readonly instancePath: string;
  /** Says what must be, never what is: the value may be a secret. */
  readonly message: string;
}

export interface Validate {
  (value: unknown): boolean;
  /** Of the last run: the first error, or none. */
  readonly errors: readonly SchemaError[];
}

/** Throws for a keyword that is not among those below: a schema must not promise what nobody checks. */
export function compileSchema(schema: Schema): Validate {
  const check = checkOf(schema);
  let errors: readonly SchemaError[] = [];
  const validate = (value: unknown): boolean => {
    const fault = check(value);
    errors = fault === undefined ? [] : [{ instancePath: fault.path, message: fault.message }];
    return fault === undefined;
  };
  return Object.defineProperty(validate, 'errors', { get: () => errors }) as Validate;
}

/** `path` grows at its front on the way out, so that a sound value costs no text. */
interface Fault {
  path: string;
  readonly message: string;
}

type Check = (value: unknown) => Fault | undefined;

function checkOf(schema: Schema): Check {
  if ('oneOf' in schema) return unionCheck(schema);
  if ('enum' in schema) return wordsCheck(schema);
  if ('const' in schema) return constantCheck(schema);
  switch (schema['type']) {
    case 'object':
      return recordCheck(schema);
    case 'array':
      return listCheck(schema);
    case 'string':
      return textCheck(schema);
    case 'integer':
      return integerCheck(schema);
    default:
      throw new TypeError(`a schema of an unknown type: ${String(schema['type'])}`);
  }
}

/** A fault for every value for which `test` is false. */
function testCheck(message: string, test: (value: unknown) => boolean): Check {
  return (value) => (test(value) ? undefined : { path: '', message });
}

function recordCheck(schema: Schema): Check {
  const { required = [], properties = {} } = known(schema, 'type', 'required', 'properties') as {
    readonly required?: readonly string[];
    readonly properties?: Readonly<Record<string, Schema>>;
  };
  const checks = Object.entries(properties).map(([key, each]) => [key, checkOf(each)] as const);
  return (value) => {
    if (!isRecord(value)) return { path: '', message: 'must be object' };
    for (const key of required)
      if (value[key] === undefined) return { path: '', message: `must have required property '${key}'` };
    for (const [key, check] of checks) {
      const field = value[key];
      const fault = field === undefined ? undefined : check(field);
      if (fault !== undefined) return within(key, fault);
    }
    return undefined;
  };
}

function listCheck(schema: Schema): Check {
  const { items, uniqueItems = false } = known(schema, 'type', 'items', 'uniqueItems') as {
    readonly items: Schema;
    readonly uniqueItems?: boolean;
  };
  if (uniqueItems && items['type'] !== 'string') throw new TypeError('only texts are compared');
  const check = checkOf(items);
  return (value) => {
    if (!Array.isArray(value)) return { path: '', message: 'must be array' };
    for (let index = 0; index < value.length; index++) {
      const fault = check(value[index]);
      if (fault !== undefined) return within(String(index), fault);
    }
    return uniqueItems && new Set(value).size < value.length
      ? { path: '', message: 'must NOT have duplicate items' }
      : undefined;
  };
}

/** Variants told apart by `kind`, each of which says so itself. */
function unionCheck(schema: Schema): Check {
  const { oneOf } = known(schema, 'type', 'required', 'discriminator', 'oneOf') as {
    readonly oneOf: readonly { readonly properties: { readonly kind: { readonly const: string } } }[];
  };
  const variants = new Map<unknown, Check>(
    oneOf.map((variant) => [variant.properties.kind.const, checkOf(variant as unknown as Schema)]),
  );
  return (value) => {
    if (!isRecord(value)) return { path: '', message: 'must be object' };
    const kind = value['kind'];
    if (kind === undefined) return { path: '', message: "must have required property 'kind'" };
    if (typeof kind !== 'string') return { path: '', message: 'tag "kind" must be string' };
    const check = variants.get(kind);
    return check === undefined ? { path: '', message: 'value of tag "kind" must be in oneOf' } : check(value);
  };
}

function wordsCheck(schema: Schema): Check {
  const words = new Set(known(schema, 'enum')['enum'] as readonly unknown[]);
  return testCheck('must be equal to one of the allowed values', (value) => words.has(value));
}

function constantCheck(schema: Schema): Check {
  const constant = known(schema, 'const')['const'];
  return testCheck('must be equal to constant', (value) => value === constant);
}

function textCheck(schema: Schema): Check {
  const { minLength = 0, pattern } = known(schema, 'type', 'minLength', 'pattern') as {
    readonly minLength?: 0 | 1;
    readonly pattern?: string;
  };
  const expression = pattern === undefined ? undefined : new RegExp(pattern, 'u');
  return (value) => {
    if (typeof value !== 'string') return { path: '', message: 'must be string' };
    if (value.length < minLength) return { path: '', message: 'must NOT have fewer than 1 characters' };
    if (expression !== undefined && !expression.test(value))
      return { path: '', message: `must match pattern "${pattern}"` };
    return undefined;
  };
}

function integerCheck(schema: Schema): Check {
  const { minimum = -Infinity, maximum = Infinity } = known(schema, 'type', 'minimum', 'maximum') as {
    readonly minimum?: number;
    readonly maximum?: number;
  };
  return (value) => {
    if (!Number.isInteger(value)) return { path: '', message: 'must be integer' };
    if ((value as number) < minimum) return { path: '', message: `must be >= ${minimum}` };
    if ((value as number) > maximum) return { path: '', message: `must be <= ${maximum}` };
    return undefined;
  };
}

function within(key: string, fault: Fault): Fault {
  fault.path = `/${key}${fault.path}`;
  return fault;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function known(schema: Schema, ...keywords: readonly string[]): Schema {
  const stranger = Object.keys(schema).find((key) => !keywords.includes(key));
  if (stranger !== undefined) throw new TypeError(`a schema with the unknown keyword ${stranger}`);
  return schema;
}
