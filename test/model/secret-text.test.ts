// A key shows nowhere but where it is asked for, whatever prints the value that holds it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { serialize } from 'node:v8';
import { format, inspect } from 'node:util';
import { pino } from 'pino';
import { SecretText } from '#model/secret-text.ts';
import { certificateOf } from './varied-model.ts';

const key = 'VisibleKey';
const secret = new SecretText(key);
const holder = { certificate: certificateOf('x/c', key), list: [secret], map: new Map([[secret, secret]]) };

class Captured extends Writable {
  text = '';

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

function assertHidden(text: string): void {
  assert.ok(!text.includes(key), text);
}

function messageOf(throwing: () => unknown): string {
  try {
    throwing();
  } catch (error) {
    assert.ok(error instanceof Error);
    return `${error.message}\n${error.stack}\n${inspect(error, { depth: 9 })}`;
  }
  return assert.fail('nothing was thrown');
}

test('it is what was put in, for who asks', () => {
  assert.equal(secret.reveal(), key);
  assert.ok(secret.equals(new SecretText(key)));
  assert.ok(!secret.equals(new SecretText(`${key} `)));
});

test('as text it says that something is hidden', () => {
  for (const text of [
    String(secret),
    ''.concat(secret as unknown as string),
    [secret].join(),
    inspect(secret),
    format('%s', secret),
  ])
    assert.equal(text, '[redacted]');
  assert.equal(`<${secret as unknown as string}>`, '<[redacted]>');
  assert.equal(JSON.stringify({ secret }), '{"secret":"[redacted]"}');
});

test('inside anything that is inspected, serialised or cloned it is not seen', () => {
  for (const value of [secret, holder, [holder], { cause: holder }, new Error('x', { cause: holder })]) {
    for (const options of [{}, { showHidden: true }, { customInspect: false, showHidden: true }])
      assertHidden(inspect(value, { depth: 9, getters: true, ...options }));
    assertHidden(format('%s %o %O %j', value, value, value, value));
    assertHidden(JSON.stringify(value) ?? '');
    assertHidden(inspect(Object.getOwnPropertyDescriptors(value), { depth: 9 }));
  }
  // What clones a value without knowing its class keeps nothing of it.
  assertHidden(inspect(structuredClone(secret), { showHidden: true }));
  assertHidden(serialize(secret).toString('latin1'));
});

test('neither a console nor a log shows it', () => {
  const out = new Captured();
  const printing = new Console(out);
  printing.log(secret, holder);
  printing.log('%s %o %O %j', secret, holder, holder, holder);
  printing.dir(holder, { depth: 9, showHidden: true });
  printing.table([holder]);
  printing.error(new Error('x', { cause: holder }));
  pino({}, out).error({ ...holder, err: new Error('x', { cause: holder }) }, 'a %s and %o', secret, holder);
  assert.ok(out.text.includes('[redacted]'));
  assertHidden(out.text);
});

test('no failed assertion shows it', () => {
  const other = { ...holder, more: 1 };
  for (const throwing of [
    () => assert.equal(secret, new SecretText('other')),
    () => assert.equal(secret, 'text'),
    () => assert.deepEqual(holder, other),
    () => assert.notDeepEqual(holder, holder),
    () => assert.ok(secret === null, String(secret)),
    () => assert.match(secret as unknown as string, /x/),
    () => assert.throws(() => assert.deepEqual(holder, other), /no such text/),
    () => assert.fail(inspect(holder, { depth: 9 })),
  ])
    assertHidden(messageOf(throwing));
});

test('Bun prints it no more than Node does', () => {
  const root = new URL('../../', import.meta.url).pathname;
  const file = JSON.stringify(`${root}src/model/secret-text.ts`);
  const code = `import { SecretText } from ${file};
    const secret = new SecretText('${key}');
    console.log(secret, [secret], { a: { secret } }, String(secret), JSON.stringify([secret]));
    console.error(new Error('x', { cause: { secret } }));
    console.log(Bun.inspect({ secret }, { depth: 9 }));`;
  const { stdout, stderr, status } = spawnSync(`${root}hack/runtime`, ['bun', '-e', code], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  assert.ok(stdout.includes('[redacted]'));
  // The message of an error shows the lines of its source, which here is this script.
  assertHidden(stdout);
});
