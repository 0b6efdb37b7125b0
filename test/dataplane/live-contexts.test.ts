// Which pairs a connection is secured with: those of the host that its name leads to, in their newest version, and nobody
// else's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TableStore } from '#dataplane/table-store.ts';
import type { HostPattern, RouteModel, VirtualHost } from '#model/route-model.ts';
import type { ServingTable } from '#proxy/serving-table.ts';
import type { SecureTransport, TlsContext, TlsContextOptions } from '#transport/secure-transport.ts';
import { certificateOf } from '../model/varied-model.ts';
import { host, model, upstream } from './models.ts';
import { TableThread, take } from './tables.ts';

/** Contexts that say what they were made of. A pair whose key is `broken` makes none. */
class Contexts {
  made = 0;
  released = 0;
  readonly transport: SecureTransport = {
    canReusePort: true,
    listen: () => Promise.reject(new Error('nobody listens here')),
    secure: () => {
      throw new Error('nobody is secured here');
    },
    createServerTrust: () => {
      throw new Error('nobody is trusted here');
    },
    connect: () => {
      throw new Error('nobody is asked here');
    },
    createContext: (options) => {
      this.made++;
      if (options.pairs.some(({ key }) => key === 'broken')) throw new Error('no key');
      return options as unknown as TlsContext;
    },
    releaseContext: () => {
      this.released++;
    },
  };
}

interface Scene {
  readonly contexts: Contexts;
  readonly bring: (hosts: readonly VirtualHost[], keys: Readonly<Record<string, string>>) => ServingTable;
}

function scene(): Scene {
  const contexts = new Contexts();
  const store = new TableStore();
  const thread = new TableThread(undefined, { transport: contexts.transport, ticketKeys: Buffer.alloc(48) });
  let revision = 0;
  return {
    contexts,
    bring: (hosts, keys) => {
      const certificates = Object.entries(keys).map(([id, key]) => certificateOf(id, key));
      const next: RouteModel = { ...model(hosts, [upstream('up')]), certificates };
      return thread.bring(take(store, next, ++revision).state);
    },
  };
}

function secured(name: string, ...certificates: readonly string[]): VirtualHost {
  const pattern: HostPattern = name.startsWith('*.')
    ? { kind: 'Wildcard', suffix: name.slice(2), depth: 'AnyDepth' }
    : { kind: 'Exact', name };
  return { ...host(name, 'up'), pattern, certificates: [...certificates].sort() };
}

function optionsFor(table: ServingTable, name: string | undefined): TlsContextOptions | string {
  const selection = table.selectTls(name);
  return selection.kind === 'Selected' ? (selection.context as unknown as TlsContextOptions) : selection.kind;
}

function keysFor(table: ServingTable, name: string | undefined): readonly string[] | string {
  const options = optionsFor(table, name);
  return typeof options === 'string' ? options : options.pairs.map(({ key }) => key);
}

test('a name leads to the pairs of its host', () => {
  const { bring } = scene();
  const table = bring([secured('a.test', 'x/a'), secured('*.b.test', 'x/b'), host('plain.test', 'up')], {
    'x/a': 'one',
    'x/b': 'two',
  });
  assert.deepEqual(keysFor(table, 'a.test'), ['one']);
  assert.deepEqual(keysFor(table, 'deep.down.b.test'), ['two']);
  assert.equal(keysFor(table, 'plain.test'), 'NoCertificate');
  assert.equal(keysFor(table, 'nobody.test'), 'UnknownName');
  assert.equal(keysFor(table, undefined), 'UnknownName');
});

test('a pair is read once, and again when it is another one', () => {
  const { bring, contexts } = scene();
  const hosts = [secured('a.test', 'x/a'), secured('b.test', 'x/b')];
  const before = bring(hosts, { 'x/a': 'one', 'x/b': 'two' });
  for (let round = 0; round < 3; round++) assert.deepEqual(keysFor(before, 'a.test'), ['one']);
  assert.equal(contexts.made, 1);
  const after = bring(hosts, { 'x/a': 'newer', 'x/b': 'two' });
  assert.deepEqual(keysFor(after, 'a.test'), ['newer']);
  assert.deepEqual(keysFor(after, 'b.test'), ['two']);
  assert.deepEqual(keysFor(bring(hosts, { 'x/a': 'newer', 'x/b': 'two' }), 'a.test'), ['newer']);
  assert.equal(contexts.made, 3);
  assert.equal(contexts.released, 1, 'nobody begins anything with the one of before');
});

test('one that the runtime refuses fails its own names, and comes back with a better one', () => {
  const { bring } = scene();
  const hosts = [secured('a.test', 'x/a'), secured('b.test', 'x/b')];
  const table = bring(hosts, { 'x/a': 'broken', 'x/b': 'two' });
  assert.equal(keysFor(table, 'a.test'), 'NoCertificate');
  assert.deepEqual(keysFor(table, 'b.test'), ['two']);
  assert.deepEqual(keysFor(bring(hosts, { 'x/a': 'one', 'x/b': 'two' }), 'a.test'), ['one']);
});

test('sessions are kept apart by host, also where certificates are shared', () => {
  const { bring } = scene();
  const table = bring([secured('a.test', 'x/a'), secured('b.test', 'x/a')], { 'x/a': 'one' });
  const scopes = ['a.test', 'b.test'].map((name) => {
    const options = optionsFor(table, name);
    assert.ok(typeof options !== 'string');
    assert.ok(Buffer.byteLength(options.sessionScope) <= 32);
    return options.sessionScope;
  });
  assert.equal(new Set(scopes).size, 2);
});

test('there are at most so many of them at a time', () => {
  const { bring, contexts } = scene();
  const names = Array.from({ length: 1100 }, (_, index) => `h${index}.test`);
  const table = bring(
    names.map((name) => secured(name, 'x/a')),
    { 'x/a': 'one' },
  );
  for (const name of names) keysFor(table, name);
  assert.equal(contexts.made, 1100);
  keysFor(table, 'h1099.test');
  assert.equal(contexts.made, 1100, 'one that was made lately is still there');
  keysFor(table, 'h0.test');
  assert.equal(contexts.made, 1101, 'the oldest made way');
  assert.equal(contexts.made - contexts.released, 1024);
});
