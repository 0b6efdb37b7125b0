// A process that gets no time for a while, as under a CPU limit or in a container that is paused: what came meanwhile came
// in time.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { ask, host, httpBackend, openSession, sceneObjects, schemes } from './h2-clients.ts';
import { HttpClient, request } from './http-client.ts';
import { yaml } from './manifests.ts';
import { pause } from './process-figures.ts';

/** Much longer than any timeout here, which is two seconds. */
const standstillMs = 6000;

interface Scene {
  readonly flint: FlintProcess;
  /** Resolves when the request of `/held` has come to the backend; it is answered when `answer` is called. */
  readonly asked: Promise<void>;
  readonly answer: () => void;
}

async function scene(context: TestContext): Promise<Scene> {
  const asked = Promise.withResolvers<void>();
  let answer = (): void => {};
  const port = await httpBackend(context, (incoming, response) => {
    incoming.resume().on('end', () => {
      answer = (): void => void response.end('here it is');
      if (incoming.url === '/held') asked.resolve();
      else answer();
    });
  });
  const timeouts = { request: '2s', idle: '2s' };
  const flint = await startFlint(context, yaml(...sceneObjects([port], { timeouts })), [
    '--workers',
    '1',
    '--set',
    'timeouts.head=2s',
  ]);
  assert.equal((await request(flint.httpPort, host, '/')).status, 200);
  return { flint, asked: asked.promise, answer: () => answer() };
}

/** What is done while the process stands still. */
async function during(flint: FlintProcess, work: () => void): Promise<void> {
  flint.process.kill('SIGSTOP');
  await pause(200);
  assert.match(readFileSync(`/proc/${flint.pid}/stat`, 'latin1'), /\) T /, 'it stands still');
  work();
  await pause(standstillMs);
  flint.process.kill('SIGCONT');
}

describe('a process that got no time for longer than its timeouts', { concurrency: 4 }, () => {
  for (const scheme of schemes)
    test(`has the answer for a client of HTTP/2 over ${scheme}`, async (context) => {
      const { flint, asked, answer } = await scene(context);
      const session = await openSession(flint, scheme);
      const answered = ask(session, { headers: { ':path': '/held' } });
      await asked;
      await during(flint, answer);
      const { status, body } = await answered;
      assert.deepEqual([status, body.toString()], [200, 'here it is']);
      session.destroy();
    });

  test('has the rest of a head, and of a body', async (context) => {
    const { flint } = await scene(context);
    const [head, body] = [await HttpClient.open(flint.httpPort), await HttpClient.open(flint.httpPort)];
    const post = `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 10\r\n\r\nhello`;
    head.send('GET / HTTP/1.1\r\nHost: shop');
    body.send(post);
    while ((await flint.metric('flint_active_requests')) !== 1) await pause(10);
    await during(flint, () => {
      head.send('.test\r\n\r\n');
      body.send('world');
    });
    assert.deepEqual([(await head.answer()).status, (await body.answer()).status], [200, 200]);
    // Whoever says nothing more, then, is told so as ever.
    body.send(post);
    assert.equal((await body.answer()).status, 408);
    head.close();
  });
});
