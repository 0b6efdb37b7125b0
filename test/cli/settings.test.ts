// Settings: every one by file and by --set, what is refused and in which words, and what lies on top of what.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadSettings, settingDefinitions } from '#cli/settings.ts';
import type { FlintSettings } from '#cli/settings.ts';
import { openServing } from '#cli/serving.ts';
import { defaultProxySettings } from '#dataplane/worker-protocol.ts';
import { defaultSettings } from '#model/default-settings.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import { withFile } from './with-file.ts';

interface Example {
  /** In YAML, and behind --set KEY=. */
  readonly yaml: string;
  readonly set: string;
  readonly value: unknown;
  /** Where it is to be found. */
  readonly of: (settings: FlintSettings) => unknown;
}

function number(value: number, of: Example['of']): Example {
  return { yaml: String(value), set: String(value), value, of };
}

const blocks = { yaml: '[10.0.0.0/8, "fd00::/8", 192.0.2.1]', set: '10.0.0.0/8,fd00::/8,192.0.2.1' };
const list = ['10.0.0.0/8', 'fd00::/8', '192.0.2.1'];

/** None of them is a default. */
const examples: Readonly<Record<string, Example>> = {
  trustedProxies: { ...blocks, value: list, of: ({ proxy }) => proxy.trustedProxies },
  proxyProtocol: { ...blocks, value: list, of: ({ proxy }) => proxy.proxyProtocolPeers },
  'limits.headBytes': number(1024, ({ proxy }) => proxy.limits.headBytes),
  'limits.fields': number(1000, ({ proxy }) => proxy.limits.fields),
  'limits.targetBytes': number(256, ({ proxy }) => proxy.limits.targetBytes),
  'limits.chunkExtensionBytes': number(0, ({ proxy }) => proxy.limits.chunkExtensionBytes),
  'limits.trailerBytes': number(65_536, ({ proxy }) => proxy.limits.trailerBytes),
  'limits.connections': number(1_000_000, ({ proxy }) => proxy.connections),
  'limits.connectionsPerClient': number(100, ({ proxy }) => proxy.connectionsPerClient),
  'limits.memory': { yaml: '512Mi', set: '512Mi', value: 536_870_912, of: ({ proxy }) => proxy.memoryBytes },
  'limits.bodyBytesPerSecond': number(1000, ({ proxy }) => proxy.bodyBytesPerSecond),
  'limits.concurrentStreams': number(1000, ({ proxy }) => proxy.concurrentStreams),
  'timeouts.head': {
    yaml: '1m30s',
    set: '1m30s',
    value: 90_000,
    of: ({ translate }) => translate.settings.headTimeoutMs,
  },
  'timeouts.clientIdle': {
    yaml: '0s',
    set: '0s',
    value: 0,
    of: ({ translate }) => translate.settings.clientIdleTimeoutMs,
  },
  'timeouts.connect': {
    yaml: '250ms',
    set: '250ms',
    value: 250,
    of: ({ translate }) => translate.settings.connectTimeoutMs,
  },
  'timeouts.upstreamIdle': {
    yaml: '1h',
    set: '1h',
    value: 3_600_000,
    of: ({ translate }) => translate.settings.upstreamIdleTimeoutMs,
  },
  attempts: number(16, ({ translate }) => translate.settings.attempts),
  loadBalancing: {
    yaml: 'RoundRobin',
    set: 'RoundRobin',
    value: 'RoundRobin',
    of: ({ translate }) => translate.loadBalancing,
  },
  defaultBackend: {
    yaml: 'shop/web:80',
    set: 'shop/web:80',
    value: { namespace: 'shop', service: 'web', port: 80 },
    of: ({ translate }) => translate.defaultBackend,
  },
  defaultCertificate: {
    yaml: 'shop/web-tls',
    set: 'shop/web-tls',
    value: 'shop/web-tls',
    of: ({ translate }) => translate.defaultCertificate,
  },
  externalNames: {
    yaml: 'Public',
    set: 'Public',
    value: 'Public',
    of: ({ translate }) => translate.externalNames,
  },
  wildcardsClaimSubdomains: {
    yaml: 'Yes',
    set: 'Yes',
    value: true,
    of: ({ translate }) => translate.wildcardsClaimSubdomains,
  },
};

// What takes what no rule takes, and the certificate of nobody's names, are settings of their own.
const { fallback: _, defaultCertificate: __, ...settings } = defaultSettings;
const defaults = { translate: { ...defaultTranslateSettings, settings }, proxy: defaultProxySettings };

/** `limits.fields` -> `limits: {fields: 50}`. */
function yamlOf(key: string, value: string): string {
  const [group = '', name] = key.split('.');
  return name === undefined ? `${group}: ${value}\n` : `${group}: {${name}: ${value}}\n`;
}

function fromFile(text: string, set: readonly string[] = []): Promise<FlintSettings> {
  return withFile(text, (settings) => loadSettings({ settings, set }));
}

/** Which settings differ from their defaults. */
function changed(settings: FlintSettings): readonly string[] {
  return Object.entries(examples)
    .filter(([, { of }]) => JSON.stringify(of(settings)) !== JSON.stringify(of(defaults)))
    .map(([key]) => key);
}

describe('every setting', () => {
  test('has an example here', () => {
    assert.deepEqual(
      Object.keys(examples),
      settingDefinitions.map(({ key }) => key),
    );
  });

  test('has a default that is as good as any', async () => {
    assert.deepEqual(await loadSettings({ set: [] }), defaults);
    assert.deepEqual(await fromFile(''), defaults);
    assert.deepEqual(await fromFile('{}'), defaults);
    const every = settingDefinitions.map(({ key, default: value }) => `${key}=${String(value)}`);
    assert.deepEqual(await loadSettings({ set: every }), defaults);
  });

  for (const [key, { yaml, set, value, of }] of Object.entries(examples)) {
    test(`${key} by file`, async () => {
      const settings = await fromFile(yamlOf(key, yaml));
      assert.deepEqual(of(settings), value);
      assert.deepEqual(changed(settings), [key]);
    });
    test(`${key} by --set`, async () => {
      const settings = await loadSettings({ set: [`${key}=${set}`] });
      assert.deepEqual(of(settings), value);
      assert.deepEqual(changed(settings), [key]);
    });
  }

  test('of one file: each command finds what concerns it', async () => {
    const groups = new Map<string, string[]>();
    for (const [key, { yaml }] of Object.entries(examples)) {
      const [group = '', name] = key.split('.');
      groups.set(group, [...(groups.get(group) ?? []), name === undefined ? yaml : `  ${name}: ${yaml}`]);
    }
    const text = [...groups].map(([group, lines]) => {
      const isMap = lines.some((line) => line.startsWith(' '));
      return isMap ? `${group}:\n${lines.join('\n')}\n` : `${group}: ${lines.join('')}\n`;
    });
    const settings = await fromFile(text.join(''));
    for (const [key, { value, of }] of Object.entries(examples)) assert.deepEqual(of(settings), value, key);
  });
});

describe('on top of the file', () => {
  test('--set takes the place of what the file says, the last one wins, the rest stays', async () => {
    const settings = await fromFile('limits: {fields: 50, headBytes: 2048}\nattempts: 2\n', [
      'limits.fields=60',
      'limits.fields=70',
    ]);
    assert.equal(settings.proxy.limits.fields, 70);
    assert.equal(settings.proxy.limits.headBytes, 2048);
    assert.equal(settings.translate.settings.attempts, 2);
  });

  test('--set takes the place of a whole list, also with none', async () => {
    const text = 'trustedProxies: [10.0.0.0/8]\n';
    assert.deepEqual((await fromFile(text, ['trustedProxies=fd00::/8'])).proxy.trustedProxies, ['fd00::/8']);
    assert.deepEqual((await fromFile(text, ['trustedProxies='])).proxy.trustedProxies, []);
  });

  test('--trusted-proxy comes to those of the settings', async () => {
    const host = { host: '127.0.0.1', port: 0 };
    const serving = await withFile('trustedProxies: [10.0.0.0/8]\nlimits: {fields: 50}\n', (settings) =>
      openServing({
        settings,
        set: ['limits.trailerBytes=1'],
        http: host,
        https: host,
        admin: host,
        workers: 1,
        trustedProxy: ['fd00::/8'],
        accessLog: 'off',
        logLevel: 'error',
        drainDelay: 0,
        grace: 0,
      }),
    );
    const limits = { ...defaultProxySettings.limits, fields: 50, trailerBytes: 1 };
    assert.deepEqual(serving.dataPlane.proxy, {
      ...defaultProxySettings,
      limits,
      trustedProxies: ['10.0.0.0/8', 'fd00::/8'],
    });
    serving.close();
  });
});
