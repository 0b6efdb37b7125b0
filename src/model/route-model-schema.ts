// The JSON schema of a model's chunks, for a reader that trusts no writer.
//
// Unknown fields pass (a newer writer may know more); unknown variants of a union do not. The tables of variants are
// tied to the types by `satisfies Record<Kind, ...>`: a variant without a schema does not compile.
import { Ajv } from 'ajv';
import type { ValidateFunction } from 'ajv';
import type { ChunkKind } from './bundle.ts';
import type { Filter, HostRewrite, PathRewrite } from './filters.ts';
import type { Backend, HostPattern, MethodMatch } from './route-model.ts';

type Schema = Readonly<Record<string, unknown>>;

const text: Schema = { type: 'string' };
const count: Schema = { type: 'integer', minimum: 0 };

function record(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', required: Object.keys(properties), properties };
}

function list(items: Schema): Schema {
  return { type: 'array', items };
}

function words(...values: readonly string[]): Schema {
  return { enum: values };
}

function union(variants: Readonly<Record<string, Readonly<Record<string, Schema>>>>): Schema {
  return {
    type: 'object',
    required: ['kind'],
    discriminator: { propertyName: 'kind' },
    oneOf: Object.entries(variants).map(([kind, properties]) =>
      record({ kind: { const: kind }, ...properties }),
    ),
  };
}

const hostPattern = union({
  Exact: { name: text },
  Wildcard: { suffix: text, depth: words('AnyDepth', 'OneLabel') },
  AnyHost: {},
} satisfies Record<HostPattern['kind'], Readonly<Record<string, Schema>>>);

const methodMatch = union({
  AnyMethod: {},
  Method: { method: text },
} satisfies Record<MethodMatch['kind'], Readonly<Record<string, Schema>>>);

const backend = union({
  Upstream: { upstream: text, weight: count },
  Unresolved: { status: { enum: [500, 503] }, weight: count },
} satisfies Record<Backend['kind'], Readonly<Record<string, Schema>>>);

const named = record({ kind: words('Exact', 'RegularExpression'), name: text, value: text });

const match = record({
  path: record({
    kind: words('Exact', 'PathPrefix', 'RegularExpression'),
    value: { type: 'string', minLength: 1 },
  }),
  method: methodMatch,
  headers: list(named),
  queryParams: list(named),
});

const hostRewrite = union({
  SameHost: {},
  OtherHost: { name: { type: 'string', pattern: '^[a-z0-9.-]+$' } },
} satisfies Record<HostRewrite['kind'], Readonly<Record<string, Schema>>>);

/** Without a trailing slash; empty for the root. */
const prefix: Schema = { type: 'string', pattern: '^(/[\\x21-\\x7e]*[\\x21-\\x2e\\x30-\\x7e])?$' };

const pathRewrite = union({
  SamePath: {},
  OtherPath: { path: { type: 'string', pattern: '^/[\\x21-\\x7e]*$' } },
  OtherPrefix: { prefix, replacement: prefix },
} satisfies Record<PathRewrite['kind'], Readonly<Record<string, Schema>>>);

/** Nothing in a field may end its line: what is written to a peer is judged here once more. */
const fieldName: Schema = { type: 'string', pattern: "^[A-Za-z0-9!#$%&'*+\\-.^_`|~]+$" };
const fieldValue: Schema = { type: 'string', pattern: '^[\\t\\x20-\\x7e]*$' };
const headerFields = list(record({ name: fieldName, value: fieldValue }));
const headerChanges = { remove: list(fieldName), set: headerFields, add: headerFields };

const filter = union({
  ClientIp: { allow: list(text), deny: list(text) },
  RequestBody: { maxBytes: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } },
  RequestRedirect: {
    scheme: words('AsRequested', 'http', 'https'),
    hostname: hostRewrite,
    port: { type: 'integer', minimum: 0, maximum: 65_535 },
    path: pathRewrite,
    status: { enum: [301, 302, 303, 307, 308] },
  },
  DirectResponse: {
    status: { type: 'integer', minimum: 200, maximum: 599 },
    contentType: fieldValue,
    body: text,
  },
  UrlRewrite: { hostname: hostRewrite, path: pathRewrite },
  RequestHeaders: headerChanges,
  ResponseHeaders: headerChanges,
} satisfies Record<Filter['kind'], Readonly<Record<string, Schema>>>);

const ruleOfSchema1 = {
  ref: record({ kind: words('IngressRoute'), namespace: text, name: text, rule: text }),
  matches: list(match),
  backends: list(backend),
  timeouts: record({ requestMs: count, backendRequestMs: count, idleMs: count }),
};

const doubtful = words('Reject', 'Keep', 'Decode');

function hostWith(rule: Schema): Schema {
  return record({
    pattern: hostPattern,
    pathPolicy: record({ encodedSlash: doubtful, mergeSlashes: doubtful, backslash: doubtful }),
    rules: list(rule),
  });
}

const upstream = record({
  id: text,
  loadBalancing: words('RoundRobin', 'LeastRequests'),
  endpoints: list(
    record({
      address: { type: 'string', minLength: 1 },
      port: { type: 'integer', minimum: 1, maximum: 65_535 },
      state: words('Ready', 'Terminating'),
    }),
  ),
});

const settings = record({
  connectTimeoutMs: count,
  upstreamIdleTimeoutMs: count,
  clientIdleTimeoutMs: count,
  headTimeoutMs: count,
  attempts: { type: 'integer', minimum: 1, maximum: 16 },
});

const ajv = new Ajv({ discriminator: true, strict: true, strictRequired: false });

function validatorsFor(rule: Schema): ReadonlyMap<string, ValidateFunction> {
  const validators = {
    settings: ajv.compile(settings),
    hosts: ajv.compile(list(hostWith(rule))),
    upstreams: ajv.compile(list(upstream)),
  } satisfies Record<ChunkKind, ValidateFunction>;
  // A Map, since a kind comes from outside and must not find what objects inherit.
  return new Map(Object.entries(validators));
}

/**
 * By schema number and kind of chunk.
 *
 *   1  rules without filters
 *   2  rules with filters
 */
export const chunkValidators: ReadonlyMap<number, ReadonlyMap<string, ValidateFunction>> = new Map([
  [1, validatorsFor(record(ruleOfSchema1))],
  [2, validatorsFor(record({ ...ruleOfSchema1, filters: list(filter) }))],
]);

/** What this build reads. */
export const schemaNumbers: readonly number[] = [...chunkValidators.keys()];

/** The first error of the validator's last run, with its place. */
export function validationMessage(validate: ValidateFunction): string {
  const [error] = validate.errors ?? [];
  return error === undefined
    ? 'is malformed'
    : `${error.instancePath || '/'} ${error.message ?? 'is malformed'}`;
}
