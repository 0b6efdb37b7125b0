// Settings: what whoever runs Flint decides for all routes alike, from a YAML file and from --set on top of it.
//
// One table says which there are; docs/reference/settings.md is made from it. One file may serve every command: each
// takes from it what concerns it.
import { readFileSync } from 'node:fs';
import { parseDurationMs } from '#api/duration.ts';
import { parseSize } from '#api/size.ts';
import { defaultParserLimits } from '#h1/parser-limits.ts';
import { parseCidr } from '#http/ip-ranges.ts';
import { defaultProxySettings } from '#dataplane/worker-protocol.ts';
import type { ProxySettings } from '#dataplane/worker-protocol.ts';
import { defaultLoadBalancing, defaultSettings } from '#model/default-settings.ts';
import type { LoadBalancing } from '#model/route-model.ts';
import type { TranslateSettings } from '#translate/cluster-view.ts';

type SettingKind =
  | { readonly kind: 'Count'; readonly least: number; readonly most: number }
  | { readonly kind: 'Duration' }
  | { readonly kind: 'Size' }
  | { readonly kind: 'CidrList' }
  | { readonly kind: 'Word'; readonly words: readonly string[] }
  /** `namespace/service:port`; empty for none. */
  | { readonly kind: 'Backend' }
  /** `namespace/secret`; empty for none. */
  | { readonly kind: 'Secret' };

export interface SettingDefinition {
  readonly key: string;
  readonly type: SettingKind;
  readonly default: number | string | readonly string[];
  /** Which commands act by it. */
  readonly readBy: 'data plane' | 'operator';
  readonly help: string;
}

function limit(key: string, fallback: number, least: number, most: number, help: string): SettingDefinition {
  const type = { kind: 'Count', least, most } as const;
  return { key: `limits.${key}`, type, default: fallback, readBy: 'data plane', help };
}

function timeout(key: string, fallbackMs: number, help: string): SettingDefinition {
  return {
    key: `timeouts.${key}`,
    type: { kind: 'Duration' },
    default: `${fallbackMs}ms`,
    readBy: 'operator',
    help,
  };
}

const { headBytes, fields, targetBytes, chunkExtensionBytes, trailerBytes } = defaultParserLimits;

export const settingDefinitions: readonly SettingDefinition[] = [
  {
    key: 'trustedProxies',
    type: { kind: 'CidrList' },
    default: [],
    readBy: 'data plane',
    help: 'proxies in front: X-Forwarded-For of theirs names the client; it, X-Forwarded-*, Forwarded and X-Request-Id are passed on and appended to',
  },
  {
    key: 'proxyProtocol',
    type: { kind: 'CidrList' },
    default: [],
    readBy: 'data plane',
    help: 'load balancers whose every connection begins with a PROXY protocol header, version 1 or 2',
  },
  limit('headBytes', headBytes, 1024, 1_048_576, 'of a request or response head; 431'),
  limit('fields', fields, 10, 1000, 'fields of one message, trailers included; 431'),
  limit('targetBytes', targetBytes, 256, 65_536, 'of a request target; 414'),
  limit('chunkExtensionBytes', chunkExtensionBytes, 0, 65_536, 'of all chunk extensions of a body; 400'),
  limit('trailerBytes', trailerBytes, 0, 65_536, 'of all trailers of a body; 400'),
  limit('connections', 0, 0, 1_000_000, 'of one worker; 0: as many as the descriptors of the process allow'),
  limit('connectionsPerClient', 0, 0, 1_000_000, 'and of them, those of one client address; 0: any'),
  {
    key: 'limits.memory',
    type: { kind: 'Size' },
    default: '0',
    readBy: 'data plane',
    help: 'that the process may have resident; 0: what its cgroup may have, if that has a limit',
  },
  limit(
    'bodyBytesPerSecond',
    0,
    0,
    1_000_000_000,
    'that a request body must bring on average, over 5 s and more; 0: any; 408',
  ),
  limit(
    'concurrentStreams',
    defaultProxySettings.concurrentStreams,
    1,
    10_000,
    'open at a time on one HTTP/2 connection of a client',
  ),
  timeout('head', defaultSettings.headTimeoutMs, 'for a request head to arrive; 408'),
  timeout('clientIdle', defaultSettings.clientIdleTimeoutMs, 'of a kept connection between two requests'),
  timeout('connect', defaultSettings.connectTimeoutMs, 'for an endpoint to accept a connection'),
  timeout('upstreamIdle', defaultSettings.upstreamIdleTimeoutMs, 'of a kept connection to an endpoint'),
  {
    key: 'attempts',
    type: { kind: 'Count', least: 1, most: 16 },
    default: defaultSettings.attempts,
    readBy: 'operator',
    help: 'endpoints that may be tried for one request, the first one included',
  },
  {
    key: 'loadBalancing',
    type: { kind: 'Word', words: ['LeastRequests', 'RoundRobin'] },
    default: defaultLoadBalancing,
    readBy: 'operator',
    help: 'how endpoints are chosen',
  },
  {
    key: 'defaultBackend',
    type: { kind: 'Backend' },
    default: '',
    readBy: 'operator',
    help: 'namespace/service:port that takes what no rule takes; empty: 404',
  },
  {
    key: 'defaultCertificate',
    type: { kind: 'Secret' },
    default: '',
    readBy: 'operator',
    help: 'namespace/secret, of type kubernetes.io/tls, for TLS clients that name no host, one that nobody serves, or one without tls; empty: they are refused',
  },
  {
    key: 'externalNames',
    type: { kind: 'Word', words: ['Refused', 'Public', 'Any'] },
    default: 'Refused',
    readBy: 'operator',
    help: 'Services of type ExternalName: not served; served, but never at private, link-local or loopback addresses; served wherever the name leads',
  },
  {
    key: 'wildcardsClaimSubdomains',
    type: { kind: 'Word', words: ['No', 'Yes'] },
    default: 'No',
    readBy: 'operator',
    help: 'a namespace that owns *.example.com also owns the names below it that nobody had before',
  },
];

export interface FlintSettings {
  readonly translate: TranslateSettings;
  readonly proxy: ProxySettings;
}

export interface SettingsOptions {
  readonly settings?: string;
  /** `key=value` each. */
  readonly set: readonly string[];
}

/** Throws an Error that names the place and the cause. */
export async function loadSettings(options: SettingsOptions): Promise<FlintSettings> {
  const values = new Map<string, unknown>();
  if (options.settings !== undefined) await readFile(options.settings, values);
  for (const each of options.set) {
    const [, key = '', text = ''] = /^([^=]*)=(.*)$/s.exec(each) ?? [];
    if (key === '') throw new Error(`--set ${each}: it is no KEY=VALUE`);
    const definition = definitionOf(key, `--set ${each}`);
    values.set(
      key,
      definition.type.kind === 'CidrList' ? text.split(',').filter((part) => part !== '') : text,
    );
    check(definition, values.get(key), `--set ${each}`);
  }
  return settingsOf(values);
}

async function readFile(file: string, values: Map<string, unknown>): Promise<void> {
  // Only whoever has a file pays for its parser.
  const { parse } = await import('yaml');
  let content: unknown;
  try {
    content = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`--settings ${file}: ${reason}`, { cause: error });
  }
  for (const [key, value] of flatten(content ?? {}, '', file)) {
    check(definitionOf(key, file), value, `${file}: ${key}`);
    values.set(key, value);
  }
}

/** `{limits: {fields: 50}}` -> `limits.fields`, 50. */
function* flatten(value: unknown, prefix: string, file: string): Generator<[string, unknown]> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${file}: ${prefix === '' ? 'the file' : prefix} must be a map of settings`);
  for (const [name, each] of Object.entries(value as Readonly<Record<string, unknown>>)) {
    const key = prefix === '' ? name : `${prefix}.${name}`;
    if (settingDefinitions.some((definition) => definition.key.startsWith(`${key}.`)))
      yield* flatten(each, key, file);
    else yield [key, each];
  }
}

function definitionOf(key: string, place: string): SettingDefinition {
  const found = settingDefinitions.find((definition) => definition.key === key);
  if (found === undefined)
    throw new Error(
      `${place}: there is no setting ${key}; there are ${settingDefinitions.map((each) => each.key).join(', ')}`,
    );
  return found;
}

function check(definition: SettingDefinition, value: unknown, place: string): void {
  const fault = faultOf(definition.type, value);
  if (fault !== undefined) throw new Error(`${place}: ${fault}`);
}

function faultOf(type: SettingKind, value: unknown): string | undefined {
  switch (type.kind) {
    case 'Count': {
      const count = countOf(value);
      const isFit = Number.isInteger(count) && count >= type.least && count <= type.most;
      return isFit ? undefined : `it must be a whole number from ${type.least} to ${type.most}`;
    }
    case 'Duration':
      return typeof value === 'string' && parseDurationMs(value) !== undefined
        ? undefined
        : 'it must be a duration such as 250ms, 10s or 1m30s; 0s means none';
    case 'Size':
      return parseSize(sizeText(value)) !== undefined
        ? undefined
        : 'it must be a size such as 512Mi or 1Gi; 0 means none';
    case 'CidrList':
      return Array.isArray(value) &&
        value.every((block) => typeof block === 'string' && parseCidr(block) !== undefined)
        ? undefined
        : 'it must be a list of CIDR blocks such as 10.0.0.0/8 or fd00::/8';
    case 'Word':
      return type.words.some((word) => word === value)
        ? undefined
        : `it must be one of ${type.words.join(', ')}`;
    case 'Backend':
      return value === '' || (typeof value === 'string' && parseBackend(value) !== undefined)
        ? undefined
        : 'it must be a Service port such as shop/web:80';
    case 'Secret':
      return value === '' || (typeof value === 'string' && secretId.test(value))
        ? undefined
        : 'it must be a Secret such as shop/web-tls';
  }
}

const secretId = /^[a-z0-9-]{1,63}\/[a-z0-9.-]{1,253}$/;

function parseBackend(text: string): TranslateSettings['defaultBackend'] {
  const [, namespace, service, digits] =
    /^([a-z0-9-]{1,63})\/([a-z0-9-]{1,63}):([0-9]{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (namespace === undefined || service === undefined || port < 1 || port > 65_535) return undefined;
  return { namespace, service, port };
}

/** A number of the file, or the digits of --set. */
function countOf(value: unknown): number {
  return typeof value === 'string' && /^[0-9]{1,15}$/.test(value) ? Number(value) : (value as number);
}

/** YAML takes a size without a unit for a number. */
function sizeText(value: unknown): string {
  return typeof value === 'number' ? String(value) : typeof value === 'string' ? value : '';
}

function settingsOf(values: ReadonlyMap<string, unknown>): FlintSettings {
  const value = (key: string): unknown => values.get(key) ?? definitionOf(key, '').default;
  const count = (key: string): number => countOf(value(key));
  const duration = (key: string): number => parseDurationMs(value(key) as string) ?? 0;
  return {
    translate: {
      settings: {
        connectTimeoutMs: duration('timeouts.connect'),
        upstreamIdleTimeoutMs: duration('timeouts.upstreamIdle'),
        clientIdleTimeoutMs: duration('timeouts.clientIdle'),
        headTimeoutMs: duration('timeouts.head'),
        attempts: count('attempts'),
        outlierEjection: defaultSettings.outlierEjection,
      },
      loadBalancing: value('loadBalancing') as LoadBalancing,
      externalNames: value('externalNames') as TranslateSettings['externalNames'],
      wildcardsClaimSubdomains: value('wildcardsClaimSubdomains') === 'Yes',
      defaultBackend: parseBackend(value('defaultBackend') as string),
      defaultCertificate: (value('defaultCertificate') as string) || undefined,
      assumedClass: '',
    },
    proxy: {
      limits: {
        headBytes: count('limits.headBytes'),
        fields: count('limits.fields'),
        targetBytes: count('limits.targetBytes'),
        chunkExtensionBytes: count('limits.chunkExtensionBytes'),
        trailerBytes: count('limits.trailerBytes'),
      },
      bodyBytesPerSecond: count('limits.bodyBytesPerSecond'),
      concurrentStreams: count('limits.concurrentStreams'),
      connections: count('limits.connections'),
      connectionsPerClient: count('limits.connectionsPerClient'),
      memoryBytes: parseSize(sizeText(value('limits.memory'))) ?? 0,
      trustedProxies: value('trustedProxies') as readonly string[],
      proxyProtocolPeers: value('proxyProtocol') as readonly string[],
      publicHttpsPort: defaultProxySettings.publicHttpsPort,
    },
  };
}
