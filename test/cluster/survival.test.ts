// What an API server may answer instead of a list: whatever it is, nothing that is served is lost, under traffic.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { echoBackend } from '../e2e/backends.ts';
import type { Backend } from '../e2e/backends.ts';
import type { FlintProcess } from '../e2e/flint-process.ts';
import { Load } from '../e2e/load.ts';
import { service, simpleRoute, yaml } from '../e2e/manifests.ts';
import { Interposer } from './interposer.ts';
import type { Answering, ReadAnswer } from './interposer.ts';
import { TestCluster, backendAddress, moment, whyNoCluster } from './test-cluster.ts';

const skip = whyNoCluster() ?? false;
const admin = '10.213.3.1:9901';
const hosts = ['a.test', 'b.test', 'c.test'];
const collections = ['ingressroutes', 'services', 'endpointslices'] as const;

/** One page of a list on its way to the operator; what it throws breaks the connection. */
interface Page {
  /** Of the lists since the fault began, from 1. */
  readonly list: number;
  /** From 1; every page holds one object. */
  readonly page: number;
  readonly answer: ReadAnswer;
}

type Fault = (page: Page) => ReadAnswer;

const refuse: Answering = async () => ({ status: 500, text: status(500) });

const status = (code: number): string =>
  JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, message: 'made up' });

/** With other fields in the place of some. */
function changed({ answer }: Page, fields: Readonly<Record<string, unknown>>): ReadAnswer {
  return { status: 200, text: JSON.stringify({ ...(JSON.parse(answer.text) as object), ...fields }) };
}

function withoutContinue(page: Page): ReadAnswer {
  const { metadata } = JSON.parse(page.answer.text) as { readonly metadata: object };
  return changed(page, { metadata: { ...metadata, continue: '' } });
}

/** Lists that are none: the first two are like this, then comes the truth. */
const broken: Readonly<Record<string, Fault>> = {
  'is cut in the middle of its JSON': ({ answer: { text } }) => ({
    status: 200,
    text: text.slice(0, text.length / 2),
    isCut: true,
  }),
  'ends well and is half of its JSON': ({ answer: { text } }) => ({
    status: 200,
    text: text.slice(0, text.length / 2),
  }),
  'lacks the answer to its second page': ({ page, answer }) => {
    if (page === 2) throw new Error('dropped');
    return answer;
  },
  'expires at its second page': ({ page, answer }) =>
    page === 2 ? { status: 410, text: status(410) } : answer,
  'says 200 with an error inside': () => ({ status: 200, text: status(500) }),
  'says 200 with an error inside at its last page': ({ page, answer }) =>
    page === 3 ? { status: 200, text: status(500) } : answer,
  'has no items': (page) => changed(page, { items: undefined }),
  'has items that are none': (page) => changed(page, { items: [null] }),
  'has no resourceVersion': (page) => changed(page, { metadata: {} }),
  'loses its continue token': (page) => (page.page === 1 ? withoutContinue(page) : page.answer),
  'is empty text': () => ({ status: 200, text: '' }),
};

function empty(page: Page): ReadAnswer {
  return changed(page, { items: [], metadata: { resourceVersion: '1' } });
}

describe('lists that are not what they say', { skip }, () => {
  let cluster: TestCluster;
  let interposer: Interposer;
  let operator: FlintProcess;
  let backend: Backend;
  let loads: readonly Load[];
  let tests = 0;
  const closing: (() => unknown)[] = [];

  before(async () => {
    cluster = await TestCluster.start(2);
    interposer = await Interposer.start(cluster.api);
    backend = await echoBackend({ after: (close) => closing.push(close) }, 'b', 0, backendAddress);
    operator = await startOperator();
    const names = hosts.map((host) => host.replace('.test', ''));
    await cluster.apply(yaml(...names.flatMap((name) => service(name, [backend.port], backendAddress))));
    for (const name of names) await cluster.create(simpleRoute(`${name}.test`, name));
    await cluster.untilProxiesReady();
    for (const host of hosts) await cluster.untilStatus(host, 200);
  });
  after(async () => {
    for (const close of closing) close();
    interposer.stop();
    await cluster.stop();
  });

  beforeEach(() => {
    tests++;
    loads = cluster.proxies.map(
      ({ http }) =>
        new Load({
          port: http,
          host: '',
          connections: 1,
          onClose: 'reconnect',
          request: (number) => `GET /?${number} HTTP/1.1\r\nHost: ${hosts[number % hosts.length]}\r\n\r\n`,
        }),
    );
  });

  /** Nobody has noticed anything, and what is applied next still becomes true. */
  afterEach(async (t) => {
    interposer.onRead = () => undefined;
    const host = `after-${tests}.test`;
    await cluster.create(simpleRoute(host, 'a'));
    await cluster.untilStatus(host, 200);
    await cluster.api.call('DELETE', `${routes}/${host.replace('.', '-')}`);
    await cluster.untilStatus(host, 404);
    let requests = 0;
    for (const load of loads) {
      const result = await load.stop();
      requests += result.requests;
      assert.deepEqual(
        [result.errors, Object.keys(result.statuses), result.closedConnections],
        [[], ['200'], 0],
      );
    }
    if ('diagnostic' in t) t.diagnostic(`${requests} requests, 0 failed`);
  });

  async function startOperator(): Promise<FlintProcess> {
    const server = { url: interposer.url, caFile: cluster.api.caFile };
    return cluster.startOperator({ server, admin, args: ['--lease-duration', '1500'] });
  }

  /**
   * The watches of these collections end, and what they held is too old: each is listed anew, through the fault for
   * the first `faulty` lists of each. Resolves when each watches again. `Listing`: they are not watched now.
   */
  async function relist(
    plurals: readonly string[],
    faulty: number,
    fault: Fault,
    from: 'Watching' | 'Listing' = 'Watching',
  ): Promise<void> {
    const lists = new Map<string, number>();
    const expired = new Set<string>(from === 'Listing' ? plurals : []);
    const watching = new Set<string>();
    interposer.onRead = (url) => {
      const plural = plurals.find((each) => url.pathname.endsWith(`/${each}`));
      if (plural === undefined) return undefined;
      if (url.searchParams.get('watch') === 'true') {
        if (expired.has(plural)) {
          watching.add(plural);
          return undefined;
        }
        expired.add(plural);
        return async () => ({ status: 410, text: status(410) });
      }
      const next = url.searchParams.get('continue') ?? '';
      if (next === '') lists.set(plural, (lists.get(plural) ?? 0) + 1);
      const list = lists.get(plural) ?? 0;
      if (list > faulty) return undefined;
      url.searchParams.set('limit', '1');
      return async (ask) => {
        const answer = await ask();
        return fault({ list, page: pageOf(answer), answer });
      };
    };
    interposer.breakWatches((url) => plurals.some((plural) => url.pathname.endsWith(`/${plural}`)));
    await until(() => watching.size === plurals.length);
    for (const plural of plurals)
      assert.ok((lists.get(plural) ?? 0) > faulty, `${plural}: ${lists.get(plural)} lists`);
  }

  for (const [what, fault] of Object.entries(broken))
    test(`lists of all three that each ${what}`, () => relist(collections, 2, fault));

  test('lists of all three that are empty', () => relist(collections, 1, empty));

  test('lists of all three without items, as the API server says it of nothing', () =>
    relist(collections, 1, (page) => changed(page, { items: null, metadata: { resourceVersion: '1' } })));

  test('empty lists at the start of a new leader', async () => {
    await operator.stop('SIGTERM');
    const began = relist(collections, 1, empty, 'Listing');
    operator = await startOperator();
    await began;
  });

  test('the gauge of staleness rises while nobody answers, the lease is lost, and it falls again', async (t) => {
    const age = (): Promise<number> => gauge('flint_operator_contact_age_seconds');
    const timesLost = (): number => operator.log.filter(({ msg }) => msg === 'no longer leading').length;
    const lostBefore = timesLost();
    interposer.onRead = () => refuse;
    interposer.breakWatches(() => true);
    await operator.until(() => timesLost() > lostBefore);
    const first = await age();
    await moment(2000);
    const last = await age();
    assert.ok(last >= first + 1.5, `${first} s, then ${last} s`);
    interposer.onRead = () => undefined;
    await until(async () => (await gauge('flint_operator_leading')) === 1 && (await age()) < first);
    t.diagnostic(
      `${first.toFixed(1)} s, ${last.toFixed(1)} s two seconds later, then ${(await age()).toFixed(1)} s`,
    );
  });

  async function gauge(series: string): Promise<number> {
    const text = await (await fetch(`http://${admin}/metrics`)).text();
    return Number(new RegExp(`^${series} (.+)$`, 'm').exec(text)?.[1]);
  }
});

const routes = '/apis/flint.dev/v1alpha1/namespaces/default/ingressroutes';

/** By what is left: all three collections hold three objects. */
function pageOf({ text }: ReadAnswer): number {
  const { metadata } = JSON.parse(text) as { readonly metadata: { readonly remainingItemCount?: number } };
  return 3 - (metadata.remainingItemCount ?? 0);
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 30_000;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error('it did not come');
    await moment();
  }
}
