// A collection of a kind that may not be installed: empty while it is not there, complete when it is, and no error.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { ApiClient } from '#kube/api-client.ts';
import { ApiSource } from '#kube/api-source.ts';
import { BackOff } from '#kube/back-off.ts';
import { OptionalSource } from '#kube/optional-source.ts';
import { reflect } from '#kube/reflect.ts';
import { failure, FakeApi } from './fake-api.ts';
import { until } from './until.ts';

const collection = '/apis/cert-manager.io/v1/certificates';
const stored = '/apis/cert-manager.io/v1/namespaces/shop/certificates';

/** The collection as a reflector of it has it, against an API server that answers with `status` where it is not installed. */
class Copy {
  readonly api = new FakeApi();
  readonly errors: unknown[] = [];
  /** Of each time that the copy was complete. */
  readonly seen: string[] = [];
  status: number | undefined;

  constructor(context: TestContext, status: number | undefined, askAgainMs = 1) {
    this.status = status;
    this.api.tap = (_, answer) =>
      this.status === undefined ? answer() : failure(this.status, '', 'not installed');
    const controller = new AbortController();
    context.after(() => controller.abort());
    const resource = {
      groupVersion: '/apis/cert-manager.io/v1',
      kind: 'Certificate',
      plural: 'certificates',
      namespace: undefined,
    };
    const source = new ApiSource(new ApiClient(this.api), resource);
    void reflect(new OptionalSource(source, askAgainMs), {
      onChange: (all) => this.seen.push([...all.values()].map(({ metadata }) => metadata.name).join()),
      onError: (error) => this.errors.push(error),
      signal: controller.signal,
      backOff: new BackOff(() => 0),
      confirmEmptyMs: 1,
    });
  }

  put(name: string): void {
    this.api.put(stored, { metadata: { name, namespace: 'shop' } });
  }

  has(names: string): Promise<void> {
    return until(`it holds ${names || 'nothing'}`, () => this.seen.at(-1) === names);
  }
}

for (const status of [404, 403])
  test(`what answers ${status} is empty, and is there when it is installed or allowed later`, async (context) => {
    const copy = new Copy(context, status);
    copy.put('a');
    await copy.has('');
    assert.equal(copy.api.list(collection).length, 1);
    copy.status = undefined;
    await copy.has('a');
    copy.put('b');
    await copy.has('a,b');
    assert.deepEqual(copy.errors, []);
  });

for (const status of [404, 403])
  test(`what answers ${status} from now on is empty from now on, and may come back`, async (context) => {
    const copy = new Copy(context, undefined);
    copy.put('a');
    await copy.has('a');
    copy.status = status;
    // The watch that is open ends with the kind.
    copy.api.endWatches();
    await copy.has('');
    copy.status = undefined;
    await copy.has('a');
    assert.deepEqual(copy.errors, []);
  });

test('while it is not there it is asked for now and then, not all the time', async (context) => {
  const copy = new Copy(context, 404, 100_000);
  await copy.has('');
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(copy.api.requests, ['LIST']);
});

test('any other answer is a failure: it is told and tried again, and never looks like an empty collection', async (context) => {
  const copy = new Copy(context, 500);
  copy.put('a');
  await until('two failures', () => copy.errors.length >= 2);
  assert.deepEqual(copy.seen, []);
  copy.status = undefined;
  await copy.has('a');
  assert.deepEqual(copy.seen, ['a']);
});
