// The transport of a pod believes the API server that its own authority vouches for, and no other, on both runtimes.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { createAuthority, dnsName } from '../tls/certificates.ts';
import { der } from '../tls/der.ts';

const root = new URL('../../', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'flint-pod-'));
after(() => rmSync(folder, { recursive: true }));

const authority = createAuthority('cluster');
const stranger = createAuthority('stranger');
const address = der(0x87, Buffer.from([127, 0, 0, 1]));

/** A mounted service account with the certificate of this authority. */
function account(name: string, ca: string): string {
  const account = join(folder, name);
  mkdirSync(account, { recursive: true });
  writeFileSync(join(account, 'token'), 'a-token\n');
  writeFileSync(join(account, 'ca.crt'), ca);
  return account;
}

async function call(runtime: string, port: number, accountFolder: string): Promise<string> {
  const args = [runtime, join(root, 'test/kube/pod-call.ts'), `https://127.0.0.1:${port}`, accountFolder];
  const { stdout } = await promisify(execFile)(join(root, 'hack/runtime'), args);
  return stdout.trim();
}

for (const runtime of ['node', 'bun'])
  test(`on ${runtime}: its own authority, and the name, are what counts`, async (context) => {
    const asked: (string | undefined)[] = [];
    const serve = async (alternativeNames: Buffer): Promise<number> => {
      const leaf = authority.issue({ alternativeNames });
      const server = createServer(
        { key: leaf.keyPem, cert: authority.chainOf(leaf) },
        (request, response) => {
          asked.push(request.headers.authorization);
          response.end('{}');
        },
      );
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      context.after(() => server.closeAllConnections());
      context.after(() => server.close());
      return (server.address() as AddressInfo).port;
    };
    const own = account('own', authority.root.certificate);
    const port = await serve(address);
    assert.equal(await call(runtime, port, own), 'status 200');
    assert.deepEqual(asked, ['Bearer a-token']);
    assert.match(await call(runtime, port, account('stranger', stranger.root.certificate)), /^refused /);
    assert.match(await call(runtime, await serve(dnsName('elsewhere.test')), own), /^refused /);
    assert.equal(asked.length, 1, 'the token was shown to nobody else');
  });
