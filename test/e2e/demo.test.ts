// The demo of `make run`: the lines that it prints work as printed, and Ctrl-C leaves nothing behind.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

const root = new URL('../../', import.meta.url).pathname;

function hasCurl(): boolean {
  try {
    execFileSync('curl', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test('make run', { skip: hasCurl() ? false : 'curl is not installed' }, async (context) => {
  // A group of its own, as a terminal gives it, so that the signal reaches everyone.
  const demo = spawn(`${root}hack/runtime`, ['node', 'hack/demo.ts'], { cwd: root, detached: true });
  context.after(() => {
    try {
      process.kill(-(demo.pid ?? 0), 'SIGKILL');
    } catch {
      // Gone already: what the test wants to see.
    }
  });
  let output = '';
  demo.stdout.setEncoding('utf8');
  while (!output.includes('Ctrl-C')) {
    const [text] = (await once(demo.stdout, 'data')) as [string];
    output += text;
  }
  const curls = output.split('\n').flatMap((line) => /^ {2}curl (.*)$/.exec(line)?.[1] ?? []);
  const curl = (line: string): string =>
    execFileSync('sh', ['-c', `curl -s ${line.replace(/ {2,}\(.*/, '')}`], { encoding: 'utf8' });
  const [shop = '', api = '', nobody = '', metrics = ''] = curls;
  assert.match(curl(shop), /^shop got GET \/ for shop\.localhost/);
  assert.match(curl(api), /^api got GET \/api\/orders\?id=7 for shop\.localhost/);
  assert.match(curl(nobody), /^HTTP\/1\.1 404 Not Found\r\n[^]*\r\nX-Flint-Fault: route-not-found\r\n/);
  assert.match(curl(metrics), /flint_requests_total\{route="default\/shop",status="2xx"\} 2/);

  const file = /Flint serves (\S+) on/.exec(output)?.[1] ?? '';
  const text = readFileSync(`${root}${file}`, 'utf8');
  writeFileSync(`${root}${file}`, text.replace('value: /api', 'value: /orders'));
  const admin = /http:\/\/127\.0\.0\.1:([0-9]+)\/metrics/.exec(output)?.[1];
  await (await fetch(`http://127.0.0.1:${admin}/revision?after=1&waitMs=10000`)).text();
  assert.match(curl(api), /^shop got /, 'the edit is live');

  const explained = execFileSync(
    'sh',
    ['-c', `npm run -s flint -- explain http://shop.localhost/orders/1 -f ${file}`],
    { cwd: root, encoding: 'utf8' },
  );
  assert.match(explained, /=> default\/shop api: PathPrefix \/orders/);

  const exited = once(demo, 'exit');
  process.kill(-(demo.pid ?? 0), 'SIGINT');
  const [code] = (await exited) as [number];
  assert.equal(code, 0);
  assert.throws(() => process.kill(-(demo.pid ?? 0), 0), { code: 'ESRCH' }, 'a process of the demo is left');
});
