// The filters of a rule as users write them: a type, and one field that belongs to it.
import type { FieldReader } from './field-reader.ts';
import { isFieldName, isFieldValue } from './field-grammar.ts';
import { hostnameFault } from './hostname.ts';
import { pathFault } from './path.ts';

const filterTypes = [
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'RequestRedirect',
  'URLRewrite',
  'DirectResponse',
] as const;

export interface HeaderValue {
  readonly name: string;
  readonly value: string;
}

export interface HeaderModifier {
  readonly remove: readonly string[];
  readonly set: readonly HeaderValue[];
  readonly add: readonly HeaderValue[];
}

export type PathModifier =
  | { readonly type: 'ReplaceFullPath'; readonly value: string }
  | { readonly type: 'ReplacePrefixMatch'; readonly value: string };

export interface RequestRedirect {
  readonly scheme?: 'http' | 'https' | undefined;
  readonly hostname?: string | undefined;
  readonly port?: number | undefined;
  readonly path?: PathModifier | undefined;
  readonly statusCode?: number | undefined;
}

export interface UrlRewrite {
  readonly hostname?: string | undefined;
  readonly path?: PathModifier | undefined;
}

export interface DirectResponse {
  readonly statusCode: number;
  readonly contentType?: string | undefined;
  readonly body?: string | undefined;
}

export type Filter =
  | { readonly type: 'RequestHeaderModifier'; readonly modifier: HeaderModifier }
  | { readonly type: 'ResponseHeaderModifier'; readonly modifier: HeaderModifier }
  | { readonly type: 'RequestRedirect'; readonly redirect: RequestRedirect }
  | { readonly type: 'URLRewrite'; readonly rewrite: UrlRewrite }
  | { readonly type: 'DirectResponse'; readonly response: DirectResponse };

/** The field that belongs to each type. */
const fieldOf = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  DirectResponse: 'directResponse',
} as const satisfies Record<Filter['type'], string>;

const mostFilters = 16;
const mostFields = 16;

/** Each type once; filters that do not go together leave a Problem at `rule`. */
export function readFilters(rule: FieldReader): readonly Filter[] {
  const filters = rule.objects('filters', mostFilters).flatMap(readFilter);
  const types = filters.map(({ type }) => type);
  if (new Set(types).size < types.length) rule.refuse('filters', 'hold a filter type twice');
  const exclusive = types.filter((type) =>
    ['RequestRedirect', 'DirectResponse', 'URLRewrite'].includes(type),
  );
  if (new Set(exclusive).size > 1)
    rule.refuse('filters', 'RequestRedirect, DirectResponse and URLRewrite exclude each other');
  return filters;
}

/** Whether requests are answered without a backend. */
export function answersItself(filters: readonly Filter[]): boolean {
  return filters.some(({ type }) => type === 'RequestRedirect' || type === 'DirectResponse');
}

/** Whether a filter speaks of the prefix that the rule's one match has. */
export function replacesPrefix(filters: readonly Filter[]): boolean {
  return filters.some(
    (filter) =>
      (filter.type === 'URLRewrite' && filter.rewrite.path?.type === 'ReplacePrefixMatch') ||
      (filter.type === 'RequestRedirect' && filter.redirect.path?.type === 'ReplacePrefixMatch'),
  );
}

function readFilter(filter: FieldReader): readonly Filter[] {
  const type = filter.oneOf('type', filterTypes);
  if (type === undefined) {
    filter.requiredString('type');
    return [];
  }
  for (const [other, field] of Object.entries(fieldOf))
    if (other !== type && filter.has(field))
      filter.refuse(field, `does not belong to a filter of type ${type}`);
  filter.refuseUnknown(['type', ...Object.values(fieldOf)]);
  const content = filter.requiredObject(fieldOf[type]);
  switch (type) {
    case 'RequestHeaderModifier':
    case 'ResponseHeaderModifier':
      return [{ type, modifier: readModifier(content) }];
    case 'RequestRedirect':
      return [{ type, redirect: readRedirect(content) }];
    case 'URLRewrite':
      return [{ type, rewrite: { hostname: readHostname(content), path: readPathModifier(content) } }];
    case 'DirectResponse':
      return [{ type, response: readDirectResponse(content) }];
  }
}

function readModifier(modifier: FieldReader): HeaderModifier {
  const remove = modifier.strings('remove', mostFields);
  for (const [index, name] of remove.entries()) refuseName(modifier, `remove[${index}]`, name);
  if (new Set(remove).size < remove.length) modifier.refuse('remove', 'holds a name twice');
  return { remove, set: readValues(modifier, 'set'), add: readValues(modifier, 'add') };
}

function readValues(modifier: FieldReader, key: 'set' | 'add'): readonly HeaderValue[] {
  const seen = new Set<string>();
  return modifier.objects(key, mostFields).map((field) => {
    const name = field.requiredString('name');
    const value = field.requiredString('value');
    refuseName(field, 'name', name);
    if (value.length > 4096 || !isFieldValue(value))
      field.refuse('value', 'is no field value in printable ASCII');
    if (seen.has(name)) field.refuse('name', `"${name}" stands twice`);
    seen.add(name);
    return { name, value };
  });
}

/** What the proxy writes itself, or what belongs to one connection. */
const reserved = new Set([
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'expect',
  'http2-settings',
  'proxy-authentication-info',
  'date',
  'forwarded',
  'x-real-ip',
  'x-request-id',
  'x-client-verify',
  'x-flint-fault',
]);

function refuseName(reader: FieldReader, key: string, name: string): void {
  if (name.length > 256 || !isFieldName(name)) reader.refuse(key, `"${name}" is no field name`);
  else if (isWrittenByProxy(name)) reader.refuse(key, `"${name}" is written by the proxy itself`);
}

/** Whatever its case, and also where a backend takes an underscore for a hyphen. */
export function isWrittenByProxy(name: string): boolean {
  const lower = name.toLowerCase().replaceAll('_', '-');
  return reserved.has(lower) || lower.startsWith('x-forwarded-');
}

function readRedirect(redirect: FieldReader): RequestRedirect {
  if (!['scheme', 'hostname', 'port', 'path'].some((key) => redirect.has(key)))
    redirect.refuse('', 'changes nothing: it leads back to itself');
  const statusCode = redirect.integer('statusCode', 300, 399);
  if (statusCode !== undefined && ![301, 302, 303, 307, 308].includes(statusCode))
    redirect.refuse('statusCode', 'must be one of 301, 302, 303, 307, 308');
  return {
    scheme: redirect.oneOf('scheme', ['http', 'https']),
    hostname: readHostname(redirect),
    port: redirect.integer('port', 1, 65_535),
    path: readPathModifier(redirect),
    statusCode,
  };
}

/** One host, so neither a wildcard nor the catch-all. */
function readHostname(reader: FieldReader): string | undefined {
  const hostname = reader.string('hostname');
  if (hostname === undefined) return undefined;
  const fault = hostname.includes('*') ? 'is not one host' : hostnameFault(hostname);
  if (fault !== undefined) reader.refuse('hostname', `"${hostname}" ${fault}`);
  return hostname;
}

function readPathModifier(parent: FieldReader): PathModifier | undefined {
  const path = parent.object('path');
  if (path === undefined) return undefined;
  const type = path.oneOf('type', ['ReplaceFullPath', 'ReplacePrefixMatch']);
  if (type === undefined) {
    path.requiredString('type');
    return undefined;
  }
  const [own, other] =
    type === 'ReplaceFullPath'
      ? (['replaceFullPath', 'replacePrefixMatch'] as const)
      : (['replacePrefixMatch', 'replaceFullPath'] as const);
  if (path.has(other)) path.refuse(other, `does not belong to the type ${type}`);
  const value = path.requiredString(own);
  const fault = path.has(own) ? pathFault(value) : undefined;
  if (fault !== undefined) path.refuse(own, fault);
  return { type, value };
}

function readDirectResponse(response: FieldReader): DirectResponse {
  const statusCode = response.requiredInteger('statusCode', 200, 599);
  const contentType = response.string('contentType');
  const body = response.string('body');
  if (
    contentType !== undefined &&
    (contentType.length > 256 || !isFieldValue(contentType) || contentType.includes('\t'))
  )
    response.refuse('contentType', 'is no field value in printable ASCII');
  if (body !== undefined && Array.from(body).length > 4096)
    response.refuse('body', 'is longer than 4096 characters');
  if (body !== undefined && [204, 205, 304].includes(statusCode))
    response.refuse('body', 'a response of this status has no body');
  return { statusCode, contentType, body };
}
