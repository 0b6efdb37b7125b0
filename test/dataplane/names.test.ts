// Upstreams of a DNS name, through a real data plane: what DNS says is served, judged, and exchanged without a revision.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { DataPlane } from '#dataplane/data-plane.ts';
import { defaultProxySettings } from '#dataplane/worker-protocol.ts';
import { encode } from '#model/bundle.ts';
import type { Upstream } from '#model/route-model.ts';
import { createLogger } from '#telemetry/log.ts';
import { until } from '../kube/until.ts';
import { backendPort, get } from './backends.ts';
import { host, model, upstream } from './models.ts';

type Allowed = 'Public' | 'Any';

function named(id: string, name: string, port: number, allowed: Allowed): Upstream {
  return { ...upstream(id), discovery: { kind: 'Dns', name, port, allowed } };
}

class Names {
  readonly dataPlane: DataPlane;
  /** What DNS says; a name that is not here fails. */
  readonly answers = new Map<string, readonly string[]>();
  readonly asked: string[] = [];
  #adminPort = 0;
  #sequence = 0;

  constructor(context: TestContext) {
    this.dataPlane = new DataPlane({
      http: { host: '127.0.0.1', port: 0 },
      admin: { host: '127.0.0.1', port: 0 },
      workers: 2,
      proxy: defaultProxySettings,
      logger: createLogger('silent'),
      writeAccessLog: undefined,
      lookup: async (name) => {
        this.asked.push(name);
        const answer = this.answers.get(name);
        if (answer === undefined) throw new Error('the resolver is away');
        return answer;
      },
    });
    context.after(() => this.dataPlane.terminate());
  }

  async serve(...upstreams: readonly Upstream[]): Promise<void> {
    const hosts = upstreams.map(({ id }) => host(`${id}.test`, id));
    await this.dataPlane.apply(encode(model(hosts, upstreams)), ++this.#sequence);
    await this.dataPlane.served(this.#sequence);
  }

  get(hostname: string): Promise<string> {
    return get(this.dataPlane.ports.http, hostname);
  }

  /** An answer takes its time, and so do the threads that are told of it. */
  async getsSoon(hostname: string, expected: string): Promise<void> {
    const last: string[] = [];
    while (last.length < 4 || last.some((text) => !text.startsWith(expected))) {
      // Each of the workers answers some of them.
      last.unshift(await this.get(hostname));
      last.length = Math.min(last.length, 4);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async metric(name: string): Promise<string | undefined> {
    this.#adminPort ||= await this.dataPlane.startAdmin();
    const text = await (await fetch(`http://127.0.0.1:${this.#adminPort}/metrics`)).text();
    return new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1];
  }
}

test('the addresses of a name are the endpoints, without a revision of their own', async (context) => {
  const port = await backendPort(context, 'one');
  const names = new Names(context);
  await names.serve(named('up', 'backend.example', port, 'Any'));
  assert.match(await names.get('up.test'), /^503 /, 'nothing is known of it');
  // The next try is due within seconds.
  names.answers.set('backend.example', ['127.0.0.1']);
  await names.getsSoon('up.test', '200 one');
  assert.equal(await names.metric('flint_table_revision'), '1');
});

test('an answer that is not public is refused, counted, and leaves nothing to connect to', async (context) => {
  const port = await backendPort(context, 'inside');
  const names = new Names(context);
  names.answers.set('backend.example', ['127.0.0.1', '169.254.169.254', '::1']);
  names.answers.set('inside.example', ['127.0.0.1']);
  await names.serve(
    named('public', 'backend.example', port, 'Public'),
    named('any', 'inside.example', port, 'Any'),
  );
  await names.getsSoon('any.test', '200 inside');
  await until(
    'all three are refused',
    async () => (await names.metric('flint_dns_refused_answers_total')) === '3',
  );
  assert.match(await names.get('public.test'), /^503 /);
});

test('an upstream that is no name any more has the endpoints of its revision, and none of DNS', async (context) => {
  const [first, second] = [await backendPort(context, 'of DNS'), await backendPort(context, 'of the model')];
  const names = new Names(context);
  names.answers.set('backend.example', ['127.0.0.1']);
  await names.serve(named('up', 'backend.example', first, 'Any'));
  await names.getsSoon('up.test', '200 of DNS');
  await names.serve(upstream('up', second));
  for (let request = 0; request < 8; request++) assert.equal(await names.get('up.test'), '200 of the model');
  // And a name again: of before nothing is left.
  await names.serve(named('up', 'other.example', first, 'Any'));
  assert.match(await names.get('up.test'), /^503 /);
  names.answers.set('other.example', ['127.0.0.1']);
  await names.getsSoon('up.test', '200 of DNS');
});

test('a name that is gone from the table is not asked for any more', async (context) => {
  const names = new Names(context);
  await names.serve(named('up', 'backend.example', 1, 'Any'));
  await names.serve(upstream('other'));
  const asked = names.asked.length;
  // The lookup has failed: the next one would be due within 1.2 s.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.equal(names.asked.length, asked);
});
