// Settings that are none: each is refused with its place, its cause, and what would have been right.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadSettings, settingDefinitions } from '#cli/settings.ts';
import { flint } from './recording-terminal.ts';
import { withFile } from './with-file.ts';

const allKeys = settingDefinitions.map(({ key }) => key).join(', ');
const cidrs = 'it must be a list of CIDR blocks such as 10.0.0.0/8 or fd00::/8';
const backend = 'it must be a Service port such as shop/web:80';
const duration = 'it must be a duration such as 250ms, 10s or 1m30s; 0s means none';

/** The message for a file, which is called FILE in it. */
async function refusalOf(text: string, set: readonly string[] = []): Promise<string> {
  return withFile(text, async (settings) => {
    try {
      await loadSettings({ settings, set });
    } catch (error) {
      assert(error instanceof Error);
      return error.message.replaceAll(settings, 'FILE');
    }
    return 'no refusal';
  });
}

const files: readonly (readonly [text: string, message: string])[] = [
  ['nope: 1', `FILE: there is no setting nope; there are ${allKeys}`],
  ['limits: {nope: 1}', `FILE: there is no setting limits.nope; there are ${allKeys}`],
  ['timeouts: {connect: {ms: 1}}', `FILE: timeouts.connect: ${duration}`],
  ['attempts: {most: 3}', 'FILE: attempts: it must be a whole number from 1 to 16'],
  ['- attempts', 'FILE: the file must be a map of settings'],
  ['attempts', 'FILE: the file must be a map of settings'],
  ['limits: 5', 'FILE: limits must be a map of settings'],
  ['limits:', 'FILE: limits must be a map of settings'],
  ['limits: [fields]', 'FILE: limits must be a map of settings'],
  ['limits: {fields: 9}', 'FILE: limits.fields: it must be a whole number from 10 to 1000'],
  ['limits: {fields: 1001}', 'FILE: limits.fields: it must be a whole number from 10 to 1000'],
  ['limits: {fields: 10.5}', 'FILE: limits.fields: it must be a whole number from 10 to 1000'],
  ['limits: {fields: ten}', 'FILE: limits.fields: it must be a whole number from 10 to 1000'],
  ['limits: {fields: [10]}', 'FILE: limits.fields: it must be a whole number from 10 to 1000'],
  ['limits: {fields: null}', 'FILE: limits.fields: it must be a whole number from 10 to 1000'],
  ['limits: {fields: true}', 'FILE: limits.fields: it must be a whole number from 10 to 1000'],
  ['limits: {trailerBytes: -1}', 'FILE: limits.trailerBytes: it must be a whole number from 0 to 65536'],
  ['timeouts: {head: 5}', `FILE: timeouts.head: ${duration}`],
  ['timeouts: {head: 5 s}', `FILE: timeouts.head: ${duration}`],
  ['timeouts: {head: -5s}', `FILE: timeouts.head: ${duration}`],
  ['timeouts: {head: 1d}', `FILE: timeouts.head: ${duration}`],
  ['trustedProxies: 10.0.0.0/8', `FILE: trustedProxies: ${cidrs}`],
  ['trustedProxies: [10.0.0.0/33]', `FILE: trustedProxies: ${cidrs}`],
  ['trustedProxies: [10.0.0.0/8, 10]', `FILE: trustedProxies: ${cidrs}`],
  ['proxyProtocol: [example.com]', `FILE: proxyProtocol: ${cidrs}`],
  ['proxyProtocol: null', `FILE: proxyProtocol: ${cidrs}`],
  ['loadBalancing: Random', 'FILE: loadBalancing: it must be one of LeastRequests, RoundRobin'],
  ['loadBalancing: roundrobin', 'FILE: loadBalancing: it must be one of LeastRequests, RoundRobin'],
  ['defaultCertificate: web', 'FILE: defaultCertificate: it must be a Secret such as shop/web-tls'],
  ['defaultBackend: null', `FILE: defaultBackend: ${backend}`],
  ['defaultBackend: web:80', `FILE: defaultBackend: ${backend}`],
  ['defaultBackend: shop/web', `FILE: defaultBackend: ${backend}`],
  ['defaultBackend: shop/web:0', `FILE: defaultBackend: ${backend}`],
  ['defaultBackend: shop/web:65536', `FILE: defaultBackend: ${backend}`],
  ['defaultBackend: {namespace: shop}', `FILE: defaultBackend: ${backend}`],
  ['externalNames: true', 'FILE: externalNames: it must be one of Refused, Public, Any'],
  ['wildcardsClaimSubdomains: true', 'FILE: wildcardsClaimSubdomains: it must be one of No, Yes'],
  // The first mistake is told.
  ['attempts: 0\nnope: 1', 'FILE: attempts: it must be a whole number from 1 to 16'],
];

const flags: readonly (readonly [set: string, message: string])[] = [
  ['attempts', '--set attempts: it is no KEY=VALUE'],
  ['=3', '--set =3: it is no KEY=VALUE'],
  ['', '--set : it is no KEY=VALUE'],
  ['nope=3', `--set nope=3: there is no setting nope; there are ${allKeys}`],
  ['limits=3', `--set limits=3: there is no setting limits; there are ${allKeys}`],
  ['Attempts=3', `--set Attempts=3: there is no setting Attempts; there are ${allKeys}`],
  [' attempts=3', `--set  attempts=3: there is no setting  attempts; there are ${allKeys}`],
  ['attempts=', '--set attempts=: it must be a whole number from 1 to 16'],
  ['attempts=17', '--set attempts=17: it must be a whole number from 1 to 16'],
  ['attempts=1.5', '--set attempts=1.5: it must be a whole number from 1 to 16'],
  ['attempts=1e1', '--set attempts=1e1: it must be a whole number from 1 to 16'],
  ['attempts= 3', '--set attempts= 3: it must be a whole number from 1 to 16'],
  ['attempts=3=3', '--set attempts=3=3: it must be a whole number from 1 to 16'],
  ['timeouts.head=', `--set timeouts.head=: ${duration}`],
  ['timeouts.head=10', `--set timeouts.head=10: ${duration}`],
  ['trustedProxies=10.0.0.0/8 fd00::/8', `--set trustedProxies=10.0.0.0/8 fd00::/8: ${cidrs}`],
  ['proxyProtocol=all', `--set proxyProtocol=all: ${cidrs}`],
  ['loadBalancing=', '--set loadBalancing=: it must be one of LeastRequests, RoundRobin'],
];

describe('a file with', () => {
  for (const [text, message] of files)
    test(JSON.stringify(text), async () => assert.equal(await refusalOf(text), message));

  test('text that is no YAML: its place is told', async () => {
    assert.match(
      await refusalOf('attempts: 3\nlimits: {fields: 10'),
      /^--settings FILE: .* at line 2, column /,
    );
    assert.match(await refusalOf('attempts: 3\nattempts: 4\n'), /^--settings FILE: Map keys must be unique/);
    assert.match(
      await refusalOf('attempts: 3\n---\nattempts: 4\n'),
      /^--settings FILE: .*multiple documents/,
    );
  });

  test('nothing behind its name', async () => {
    await assert.rejects(loadSettings({ settings: '/nowhere.yaml', set: [] }), {
      message: /^--settings \/nowhere\.yaml: ENOENT: no such file or directory/,
    });
  });
});

describe('--set', () => {
  for (const [set, message] of flags)
    test(JSON.stringify(set), async () => {
      await assert.rejects(loadSettings({ set: [set] }), { message });
      assert.equal(await refusalOf('attempts: 3', ['attempts=4', set]), message);
    });

  test('mends nothing that the file says', async () => {
    assert.equal(
      await refusalOf('attempts: 0', ['attempts=3']),
      'FILE: attempts: it must be a whole number from 1 to 16',
    );
  });
});

for (const command of ['run --route a.test=127.0.0.1:1', 'proxy', 'operator'])
  test(`flint ${command} refuses them before it does anything`, async () => {
    const args = command.split(' ');
    assert.deepEqual(await flint([...args, '--set', 'attempts=0']), {
      code: 2,
      stdout: '',
      stderr: 'flint: --set attempts=0: it must be a whole number from 1 to 16\n',
    });
    assert.deepEqual(
      await flint([...args, '--settings', '@/s.yaml'], { 's.yaml': 'limits: {fields: 1}\n' }),
      {
        code: 2,
        stdout: '',
        stderr: 'flint: @/s.yaml: limits.fields: it must be a whole number from 10 to 1000\n',
      },
    );
  });
