// One chunk -> the values in it, in the present form of the model whatever schema they were written in.
import { digestOf, parseJson } from './canonical-json.ts';
import type { Chunk } from './chunk.ts';
import { defaultSettings } from './default-settings.ts';
import { filterOrder } from './filters.ts';
import { chunkBytes } from './limits.ts';
import { plainBackend, plainTls } from './plain-terms.ts';
import { hostKey } from './route-model.ts';
import type {
  Certificate,
  NodeZone,
  Rule,
  Settings,
  SigningKey,
  Upstream,
  VirtualHost,
} from './route-model.ts';
import { chunkValidators, validationMessage } from './route-model-schema.ts';
import { SecretText } from './secret-text.ts';
import { readUpstream } from './upstream-form.ts';
import type { WrittenUpstream } from './upstream-form.ts';
import { upstreamPolicyOrder } from './upstream-policies.ts';

export type Refusal = 'UnknownSchema' | 'DigestMismatch' | 'TooLarge' | 'Malformed' | 'ChunkMissing';

export interface Refused {
  readonly kind: 'Refused';
  readonly refusal: Refusal;
  readonly message: string;
}

export type ChunkContent =
  | { readonly kind: 'settings'; readonly settings: Settings }
  | { readonly kind: 'zones'; readonly zones: readonly NodeZone[] }
  | { readonly kind: 'hosts'; readonly hosts: readonly VirtualHost[] }
  | { readonly kind: 'upstreams'; readonly upstreams: readonly Upstream[] }
  | { readonly kind: 'certificates'; readonly certificates: readonly Certificate[] }
  | { readonly kind: 'keys'; readonly keys: readonly SigningKey[] };

/** As it stands in a chunk. */
type Revealed<T extends { readonly key: SecretText }> = Omit<T, 'key'> & { readonly key: string };

/**
 * Total: any chunk gives values that an encoder could have written, or a refusal. No message shows what a chunk holds but
 * the names of hosts and upstreams.
 */
export function decodeChunk(chunk: Chunk, schema: number): ChunkContent | Refused {
  const content = readContent(chunk, schema);
  const fault = contentFault(content);
  return fault === undefined ? content : refused('Malformed', fault);
}

function readContent({ kind, digest, text }: Chunk, schema: number): ChunkContent | Refused {
  const place = `chunk ${kind} ${digest.slice(0, 12)}`;
  if (Buffer.byteLength(text) > chunkBytes) return refused('TooLarge', `${place} is too large`);
  if (digestOf(text) !== digest) return refused('DigestMismatch', `${place} has other content`);
  const content = parseJson(text);
  const validate = chunkValidators.get(schema)?.get(kind);
  if (validate === undefined) return refused('Malformed', `${place} is of an unknown kind`);
  if (!validate(content)) return refused('Malformed', `${place}: ${validationMessage(validate)}`);
  // The schema has proved the shape, kind by kind.
  switch (kind) {
    case 'settings':
      return { kind, settings: liftSettings(content as Settings, schema) };
    case 'zones':
      return { kind, zones: content as readonly NodeZone[] };
    case 'hosts':
      return { kind, hosts: liftHosts(content as readonly VirtualHost[], schema) };
    case 'upstreams': {
      const upstreams = liftUpstreams(content as readonly Upstream[] | readonly WrittenUpstream[], schema);
      return upstreams === undefined
        ? refused('Malformed', `${place} has an endpoint with a port that is none`)
        : { kind, upstreams };
    }
    case 'certificates':
      return { kind, certificates: (content as readonly Revealed<Certificate>[]).map(concealed) };
    case 'keys':
      return { kind, keys: (content as readonly Revealed<SigningKey>[]).map(concealed) };
  }
}

function concealed<T extends { readonly key: string }>(
  revealed: T,
): Omit<T, 'key'> & { readonly key: SecretText } {
  return { ...revealed, key: new SecretText(revealed.key) };
}

export function refused(refusal: Refusal, message: string): Refused {
  return { kind: 'Refused', refusal, message };
}

// What an older schema does not know is absent, whatever may stand in its place.

function liftSettings(settings: Settings, schema: number): Settings {
  if (schema >= 5) return settings;
  return {
    ...settings,
    fallback: schema >= 3 ? settings.fallback : { kind: 'NotFound' },
    defaultCertificate: schema === 4 ? settings.defaultCertificate : { kind: 'None' },
    outlierEjection: defaultSettings.outlierEjection,
  };
}

function liftHosts(hosts: readonly VirtualHost[], schema: number): readonly VirtualHost[] {
  if (schema >= 4) return hosts;
  return hosts.map((host) => ({
    ...host,
    certificates: schema === 3 ? host.certificates : [],
    plaintext: schema === 3 ? host.plaintext : 'Serve',
    ...plainTls,
    rules: schema === 1 ? host.rules.map((rule) => ({ ...rule, filters: [] })) : host.rules,
  }));
}

function liftUpstreams(
  upstreams: readonly Upstream[] | readonly WrittenUpstream[],
  schema: number,
): readonly Upstream[] | undefined {
  if (schema < 3)
    return (upstreams as readonly Upstream[]).map((upstream) => ({
      ...upstream,
      ...plainBackend,
      discovery: { kind: 'Endpoints' },
      zoneHints: [],
    }));
  const read: Upstream[] = [];
  for (const written of upstreams as readonly WrittenUpstream[]) {
    const upstream = readUpstream(written);
    if (upstream === undefined) return undefined;
    read.push(liftWritten(upstream, schema));
  }
  return read;
}

function liftWritten(upstream: Upstream, schema: number): Upstream {
  if (schema >= 5) return upstream;
  if (schema === 4) return { ...upstream, policies: plainBackend.policies };
  return { ...upstream, ...plainBackend };
}

/** What a schema cannot say of values by themselves. */
function contentFault(content: ChunkContent | Refused): string | undefined {
  switch (content.kind) {
    case 'hosts': {
      const host = content.hosts.find(({ rules }) => !rules.every(isInFilterOrder));
      return host === undefined
        ? undefined
        : `host ${hostKey(host.pattern)} has filters twice or out of order`;
    }
    case 'upstreams': {
      const hinting = content.upstreams.find(hasHintOfNothing);
      if (hinting !== undefined)
        return `upstream ${hinting.id} has a hint for an endpoint that it does not have`;
      const upstream = content.upstreams.find(({ policies }) => !isInOrder(policies, upstreamPolicyOrder));
      return upstream === undefined
        ? undefined
        : `upstream ${upstream.id} has policies twice or out of order`;
    }
    case 'settings': {
      const { fallback } = content.settings;
      return fallback.kind === 'NotFound' || isInFilterOrder(fallback.rule)
        ? undefined
        : 'the fallback has filters twice or out of order';
    }
    case 'Refused':
    case 'zones':
    case 'certificates':
    case 'keys':
      return undefined;
  }
}

function isInFilterOrder({ filters }: Rule): boolean {
  return isInOrder(filters, filterOrder);
}

/** Each kind at most once. */
function isInOrder<Kind extends string>(
  list: readonly { readonly kind: Kind }[],
  order: readonly Kind[],
): boolean {
  return list.every(
    ({ kind }, index) => index === 0 || order.indexOf(kind) > order.indexOf(list[index - 1]?.kind ?? kind),
  );
}

function hasHintOfNothing({ endpoints, zoneHints }: Upstream): boolean {
  return zoneHints.some((hint) => hint.endpoints.some((index) => index >= endpoints.length));
}
