// What an outsider finds out about our TLS, held against docs/reference/tls.md: nothing more, and nothing less.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { generateKey } from '../tls/certificates.ts';
import { echoBackend } from './backends.ts';
import { runtime, startFlint } from './flint-process.ts';
import { service, yaml } from './manifests.ts';
import { failureOf, open, pairFor, secret, secureRoute } from './tls-clients.ts';

const isMissing = spawnSync('sslscan', ['--version']).error !== undefined;
if (isMissing)
  process.stderr.write(
    'there is no sslscan (on Debian: apt-get install sslscan): the TLS baseline is SKIPPED\n',
  );

const reference = readFileSync(new URL('../../docs/reference/tls.md', import.meta.url), 'utf8');

/** The lines of the code block below a heading. */
function blockBelow(heading: string): readonly string[] {
  const [, block] = new RegExp(`^### ${heading}\n[^#]*?\`\`\`\n([^\`]+)\`\`\``, 'm').exec(reference) ?? [];
  assert.ok(block !== undefined, `docs/reference/tls.md has no block below "${heading}"`);
  return block.trim().split('\n');
}

interface Element {
  readonly [attribute: string]: string;
}

function elementsIn(xml: string, name: string): readonly Element[] {
  return [...xml.matchAll(new RegExp(`<${name} ([^>]*?)/>`, 'g'))].map(([, attributes = '']) =>
    Object.fromEntries(
      [...attributes.matchAll(/([a-z]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]),
    ),
  );
}

describe('seen by sslscan', { skip: isMissing }, () => {
  test('protocols, ciphers and groups are those of the reference; nothing old answers', async (context) => {
    const flint = await startFlint(
      context,
      yaml(
        ...service('shop', [(await echoBackend(context, 'shop')).port]),
        secret('ec-tls', pairFor('shop.test')),
        secret('rsa-tls', pairFor('shop.test', generateKey('RSA-2048'))),
        secureRoute('shop.test', 'shop', 'ec-tls', 'rsa-tls'),
      ),
    );
    const target = `127.0.0.1:${flint.httpsPort}`;
    const { status, stdout, stderr } = spawnSync(
      'sslscan',
      ['--no-colour', '--xml=-', '--sni-name=shop.test', target],
      { encoding: 'utf8' },
    );
    assert.equal(status, 0, stderr);
    const protocols = elementsIn(stdout, 'protocol')
      .filter(({ enabled }) => enabled === '1')
      .map(({ type, version }) => `${type} ${version}`);
    assert.deepEqual(protocols, ['tls 1.2', 'tls 1.3']);
    const ciphers = elementsIn(stdout, 'cipher');
    for (const [version, heading] of [
      ['TLSv1.3', 'Ciphers of TLS 1.3'],
      ['TLSv1.2', 'Ciphers of TLS 1.2'],
    ] as const) {
      const ofVersion = ciphers.filter(({ sslversion }) => sslversion === version);
      assert.deepEqual(ofVersion.map(({ cipher = '' }) => cipher).sort(), blockBelow(heading).toSorted());
      assert.equal(ofVersion[0]?.['cipher'], blockBelow(heading)[0]);
      const groups = elementsIn(stdout, 'group')
        .filter(({ sslversion }) => sslversion === version)
        .map(({ name = '' }) => name.replace(/ \(.*/, ''));
      // This scanner knows none with a post-quantum part.
      const known = blockBelow('Groups').filter((name) => !name.includes('MLKEM'));
      assert.deepEqual(groups.sort(), known.toSorted());
    }
    assert.deepEqual(elementsIn(stdout, 'renegotiation'), [{ supported: '0', secure: '0' }]);
    for (const { supported } of elementsIn(stdout, 'compression')) assert.equal(supported, '0');
    const bled = elementsIn(stdout, 'heartbleed');
    assert.ok(bled.length > 0);
    for (const { vulnerable } of bled) assert.equal(vulnerable, '0');
  });
});

test('every group of the reference is agreed on by itself, and one that is not in it is not', async (context) => {
  const flint = await startFlint(
    context,
    yaml(
      ...service('shop', [(await echoBackend(context, 'shop')).port]),
      secret('shop-tls', pairFor('shop.test')),
      secureRoute('shop.test', 'shop', 'shop-tls'),
    ),
  );
  const names: Readonly<Record<string, string>> = { secp256r1: 'P-256', secp384r1: 'P-384' };
  // The system's OpenSSL knows post-quantum groups from 3.5 on.
  const mayMiss = (group: string): boolean => runtime === 'bun' && group.includes('MLKEM');
  for (const group of blockBelow('Groups')) {
    const socket = await open(flint, 'shop.test', {
      ecdhCurve: mayMiss(group) ? `${group}:X25519` : (names[group] ?? group),
      minVersion: 'TLSv1.3',
    });
    socket.destroy();
  }
  for (const group of ['P-521', 'ffdhe2048'])
    assert.match(
      await failureOf(flint, { servername: 'shop.test', ecdhCurve: group, minVersion: 'TLSv1.3' }),
      /HANDSHAKE_FAILURE|ECONNRESET/,
      group,
    );
});
