// The JSON schema of a model's chunks, for a reader that trusts no writer.
//
// Unknown fields pass (a newer writer may know more); unknown variants of a union do not. The tables of variants are
// tied to the types by `satisfies Record<Kind, ...>`: a variant without a schema does not compile.
import type { ChunkKind } from './chunk.ts';
import type { Filter, HostRewrite, PathRewrite } from './filters.ts';
import { compileSchema } from './json-schema.ts';
import type { Schema, SchemaError, Validate } from './json-schema.ts';
import { writtenEndpointPattern } from './upstream-form.ts';
import type {
  Backend,
  BackendAuthorities,
  BackendTls,
  ClientValidation,
  DefaultCertificate,
  Discovery,
  Fallback,
  HostPattern,
  MethodMatch,
  RuleRef,
  StrictTransport,
} from './route-model.ts';
import type { HealthProbe, UpstreamPolicy } from './upstream-policies.ts';

const text: Schema = { type: 'string' };
const count: Schema = { type: 'integer', minimum: 0 };
const flag: Schema = { enum: [true, false] };

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

const backendsOfSchema1 = {
  Upstream: { upstream: text, weight: count },
  Unresolved: { status: { enum: [500, 503] }, weight: count },
};
const backendOfSchema1 = union(backendsOfSchema1);
const backendOfSchema5 = union({
  ...backendsOfSchema1,
  Fallback: { upstream: text, weight: count },
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

const filtersOfSchema2 = {
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
};
const filterOfSchema2 = union(filtersOfSchema2);
const positive: Schema = { type: 'integer', minimum: 1 };
const filterOfSchema5 = union({
  ...filtersOfSchema2,
  ConcurrentRequests: { most: positive },
  SessionPersistence: {
    source: words('Cookie', 'Header'),
    name: fieldName,
    lifetime: words('Session', 'Permanent'),
    absoluteMs: count,
    idleMs: count,
  },
  Retry: {
    attempts: positive,
    codes: list({ type: 'integer', minimum: 400, maximum: 599 }),
    backoffMs: count,
  },
} satisfies Record<Filter['kind'], Readonly<Record<string, Schema>>>);

function ref(...kinds: readonly RuleRef['kind'][]): Schema {
  return record({ kind: words(...kinds), namespace: text, name: text, rule: text });
}

const ruleOfSchema1 = {
  ref: ref('IngressRoute'),
  matches: list(match),
  backends: list(backendOfSchema1),
  timeouts: record({ requestMs: count, backendRequestMs: count, idleMs: count }),
};

const doubtful = words('Reject', 'Keep', 'Decode');
const plaintext = words('Serve', 'Redirect', 'Reject');

const ruleOfSchema2 = { ...ruleOfSchema1, filters: list(filterOfSchema2) };
const anyRef = ref('IngressRoute', 'Ingress', 'Setting');
const ruleOfSchema3 = record({ ...ruleOfSchema2, ref: anyRef });
const ruleOfSchema5 = record({
  ...ruleOfSchema1,
  ref: anyRef,
  filters: list(filterOfSchema5),
  backends: list(backendOfSchema5),
});

function hostWith(rule: Schema): Readonly<Record<string, Schema>> {
  return {
    pattern: hostPattern,
    pathPolicy: record({ encodedSlash: doubtful, mergeSlashes: doubtful, backslash: doubtful }),
    rules: list(rule),
  };
}

const hostOfSchema3 = { ...hostWith(ruleOfSchema3), certificates: list(text), plaintext };

const strictTransport = union({
  Unsaid: {},
  Said: { maxAgeSeconds: count, includeSubdomains: flag, preload: flag },
} satisfies Record<StrictTransport['kind'], Readonly<Record<string, Schema>>>);

const clientValidation = union({
  None: {},
  Asked: { mode: words('AllowValidOnly', 'AllowInsecureFallback'), authorities: text },
} satisfies Record<ClientValidation['kind'], Readonly<Record<string, Schema>>>);

const hostOfSchema4 = {
  ...hostOfSchema3,
  tlsMode: words('Terminate', 'Passthrough'),
  minTlsVersion: words('1.2', '1.3'),
  strictTransport,
  clientValidation,
};

const upstreamOfSchema1 = {
  id: text,
  loadBalancing: words('RoundRobin', 'LeastRequests'),
  endpoints: list(
    record({
      address: { type: 'string', minLength: 1 },
      port: { type: 'integer', minimum: 1, maximum: 65_535 },
      state: words('Ready', 'Terminating'),
    }),
  ),
};

const discovery = union({
  Endpoints: {},
  Dns: {
    name: { type: 'string', pattern: '^[a-zA-Z0-9._-]{1,253}$' },
    port: { type: 'integer', minimum: 1, maximum: 65_535 },
    allowed: words('Public', 'Any'),
  },
} satisfies Record<Discovery['kind'], Readonly<Record<string, Schema>>>);

const upstreamOfSchema3 = {
  ...upstreamOfSchema1,
  endpoints: list({ type: 'string', pattern: writtenEndpointPattern }),
  discovery,
  zoneHints: list(record({ zone: text, endpoints: list(count) })),
};

const backendAuthorities = union({
  System: {},
  Pem: { pem: text },
} satisfies Record<BackendAuthorities['kind'], Readonly<Record<string, Schema>>>);

const backendTls = union({
  None: {},
  Verified: { serverName: { type: 'string', minLength: 1 }, authorities: backendAuthorities },
} satisfies Record<BackendTls['kind'], Readonly<Record<string, Schema>>>);

const upstreamOfSchema4 = {
  ...upstreamOfSchema3,
  protocol: words('HTTP/1.1', 'HTTP/2'),
  tls: backendTls,
};

const healthProbe = union({
  Http: {
    // It is written into the head of a request.
    path: { type: 'string', pattern: '^/[\\x21-\\x7e]*$' },
    hostname: { type: 'string', pattern: '^[A-Za-z0-9.-]+$' },
    statuses: list({ type: 'integer', minimum: 100, maximum: 599 }),
  },
  Tcp: {},
  Grpc: { service: { type: 'string', pattern: '^[A-Za-z0-9._/-]*$' } },
} satisfies Record<HealthProbe['kind'], Readonly<Record<string, Schema>>>);

const outlierEjection = {
  consecutive5xx: count,
  connectFailures: count,
  baseEjectionMs: positive,
  maxEjectionMs: positive,
};

const upstreamPolicy = union({
  ConsistentHash: { source: words('Header', 'Cookie', 'QueryParam', 'ClientAddress'), name: text },
  SlowStart: { windowMs: positive },
  HealthCheck: {
    probe: healthProbe,
    intervalMs: positive,
    timeoutMs: positive,
    healthyThreshold: positive,
    unhealthyThreshold: positive,
  },
  OutlierEjection: outlierEjection,
  CircuitBreaker: {
    connections: count,
    pendingRequests: count,
    activeRequests: count,
    endpointConnections: count,
    endpointActiveRequests: count,
  },
} satisfies Record<UpstreamPolicy['kind'], Readonly<Record<string, Schema>>>);

const certificate = record({
  id: text,
  chain: text,
  key: text,
  dnsNames: list(text),
  notAfter: text,
  fingerprint: { type: 'string', pattern: '^[0-9a-f]{64}$' },
});

const settingsOfSchema1 = {
  connectTimeoutMs: count,
  upstreamIdleTimeoutMs: count,
  clientIdleTimeoutMs: count,
  headTimeoutMs: count,
  attempts: { type: 'integer', minimum: 1, maximum: 16 },
};

function fallbackWith(rule: Schema): Schema {
  return union({
    NotFound: {},
    Rule: { rule },
  } satisfies Record<Fallback['kind'], Readonly<Record<string, Schema>>>);
}

const settingsOfSchema3 = { ...settingsOfSchema1, fallback: fallbackWith(ruleOfSchema3) };

const defaultCertificate = union({
  None: {},
  Certificate: { certificate: text },
} satisfies Record<DefaultCertificate['kind'], Readonly<Record<string, Schema>>>);

const settingsOfSchema4 = { ...settingsOfSchema3, defaultCertificate };

const zones = list(record({ node: text, zone: text }));

function validatorsFor(kinds: Partial<Record<ChunkKind, Schema>>): ReadonlyMap<string, Validate> {
  // A Map, since a kind comes from outside and must not find what objects inherit.
  return new Map(Object.entries(kinds).map(([kind, schema]) => [kind, compiledWhenUsed(schema)]));
}

/** A reader meets one schema number, as a rule: compiling all of them was a part of every data plane's start. */
function compiledWhenUsed(schema: Schema): Validate {
  let compiled: Validate | undefined;
  const validate = (value: unknown): boolean => (compiled ??= compileSchema(schema))(value);
  return Object.defineProperty(validate, 'errors', { get: () => compiled?.errors ?? [] }) as Validate;
}

/**
 * By schema number and kind of chunk.
 *
 *   1  rules without filters
 *   2  rules with filters
 *   3  rules of Ingresses, a fallback, certificates, what plain HTTP gets, zones, upstreams that are DNS names
 *   4  how hosts end TLS and whom they ask for a certificate, a default certificate, how backends are spoken to
 *   5  retries, sessions, limits and fallbacks of rules, policies of upstreams, keys
 */
export const chunkValidators: ReadonlyMap<number, ReadonlyMap<string, Validate>> = new Map([
  [
    1,
    validatorsFor({
      settings: record(settingsOfSchema1),
      hosts: list(record(hostWith(record(ruleOfSchema1)))),
      upstreams: list(record(upstreamOfSchema1)),
    }),
  ],
  [
    2,
    validatorsFor({
      settings: record(settingsOfSchema1),
      hosts: list(record(hostWith(record(ruleOfSchema2)))),
      upstreams: list(record(upstreamOfSchema1)),
    }),
  ],
  [
    3,
    validatorsFor({
      settings: record(settingsOfSchema3),
      zones,
      hosts: list(record(hostOfSchema3)),
      upstreams: list(record(upstreamOfSchema3)),
      certificates: list(certificate),
    }),
  ],
  [
    4,
    validatorsFor({
      settings: record(settingsOfSchema4),
      zones,
      hosts: list(record(hostOfSchema4)),
      upstreams: list(record(upstreamOfSchema4)),
      certificates: list(certificate),
    }),
  ],
  [
    5,
    validatorsFor({
      settings: record({
        ...settingsOfSchema4,
        fallback: fallbackWith(ruleOfSchema5),
        outlierEjection: record(outlierEjection),
      }),
      zones,
      hosts: list(record({ ...hostOfSchema4, rules: list(ruleOfSchema5) })),
      upstreams: list(record({ ...upstreamOfSchema4, policies: list(upstreamPolicy) })),
      certificates: list(certificate),
      keys: list(record({ id: words('session'), key: { type: 'string', pattern: '^[A-Za-z0-9+/]{43}=$' } })),
    } satisfies Record<ChunkKind, Schema>),
  ],
]);

/** What this build reads. */
export const schemaNumbers: readonly number[] = [...chunkValidators.keys()];
export const newestSchema: number = Math.max(...schemaNumbers);

/** The first error of the validator's last run, with its place. */
export function validationMessage({
  errors,
}: {
  readonly errors?: readonly Partial<SchemaError>[] | null | undefined;
}): string {
  const [error] = errors ?? [];
  return error === undefined
    ? 'is malformed'
    : `${error.instancePath || '/'} ${error.message ?? 'is malformed'}`;
}
