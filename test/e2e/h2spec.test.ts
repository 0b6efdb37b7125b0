// HTTP/2 as h2spec asks for it: every case that it has, strict ones included, in the clear and over TLS.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { echoBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { HttpClient } from './http-client.ts';
import { service, yaml } from './manifests.ts';
import { pairFor, routeWithTls, secret } from './tls-clients.ts';

/** How many it has at the version that is built: fewer would mean that its report is misread. */
const cases = 147;
/** What it waits for an answer; a busy machine may take longer than its own two seconds. */
const timeoutSeconds = 5;
/**
 * Fails in the clear: no preface of HTTP/2 is a request of HTTP/1.1 there, and a malformed one gets its 400 (RFC 9113 3.4: it
 * "indicates that the peer is not using HTTP/2"). Nothing that h2spec asks for has been overtaken by RFC 9113.
 */
const withoutPreface = 'http2/3.5 Sends invalid connection preface';

const script = new URL('../../hack/h2spec-binary', import.meta.url).pathname;
const found = spawnSync(script, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const isMissing = found.status === 3;
if (!isMissing) assert.equal(found.status, 0, 'h2spec could not be built');

interface Case {
  readonly name: string;
  readonly isPassed: boolean;
}

/** Of a report in the form of JUnit: what a case that has failed holds says how. */
function casesOf(report: string): readonly Case[] {
  const pattern = /<testcase package="([^"]*)" classname="([^"]*)"[^>]*>([^]*?)<\/testcase>/g;
  return [...report.matchAll(pattern)].map(([, section, name, content]) => ({
    name: `${section} ${name}`,
    isPassed: content === '',
  }));
}

/** `localhost`, since a name is what certificates are chosen by. */
async function flintBeforeEcho(context: TestContext): Promise<FlintProcess> {
  const { port } = await echoBackend(context, 'shop');
  const manifests = yaml(
    ...service('shop', [port]),
    secret('tls', pairFor('localhost')),
    routeWithTls('localhost', 'shop', { certificateRefs: [{ name: 'tls' }], plaintext: 'Serve' }),
  );
  return startFlint(context, manifests, ['--workers', '1']);
}

/** Everything that it found wrong, in its own words. */
async function failuresOf(flint: FlintProcess, args: readonly string[]): Promise<readonly string[]> {
  const reportFile = join(flint.folder, 'h2spec.xml');
  const common = ['--strict', '--timeout', String(timeoutSeconds), '-h', 'localhost', '-j', reportFile];
  const output = await new Promise<string>((resolve) => {
    // Its exit code says no more than the report.
    execFile(found.stdout.trim(), [...common, ...args], (_error, stdout) => resolve(stdout));
  });
  const all = casesOf(readFileSync(reportFile, 'utf8'));
  assert.equal(all.length, cases, output);
  return all.filter(({ isPassed }) => !isPassed).map(({ name }) => name);
}

describe('h2spec', { skip: isMissing }, () => {
  test('in the clear, by prior knowledge', async (context) => {
    const flint = await flintBeforeEcho(context);
    assert.deepEqual(await failuresOf(flint, ['-p', String(flint.httpPort)]), [withoutPreface]);
    const client = await HttpClient.open(flint.httpPort);
    client.send('INVALID CONNECTION PREFACE\r\n\r\n');
    assert.equal((await client.answer()).status, 400);
    await client.untilEnded();
    client.close();
  });

  test('over TLS, by ALPN', async (context) => {
    const flint = await flintBeforeEcho(context);
    const args = ['-p', String(flint.httpsPort), '--tls', '--insecure'];
    assert.deepEqual(await failuresOf(flint, args), []);
  });

  test('a server that is none fails its cases: they are not passed by being misread', async (context) => {
    const flint = await flintBeforeEcho(context);
    const failures = await failuresOf(flint, ['-p', String(flint.adminPort), '--timeout', '1']);
    assert.ok(failures.length > cases / 2, `${failures.length} failures`);
  });
});
