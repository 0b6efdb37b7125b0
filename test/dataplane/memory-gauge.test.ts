// Where the limit of memory comes from: the setting, or the tightest cgroup, of either version, as containers see them.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { findMemoryGauge } from '#dataplane/memory-gauge.ts';
import type { MemoryGauge } from '#dataplane/memory-gauge.ts';

function withFiles(
  files: Readonly<Record<string, string>>,
  check: (gauge: MemoryGauge | undefined) => void,
): void {
  const root = mkdtempSync(join(tmpdir(), 'flint-cgroup-'));
  try {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    }
    check(findMemoryGauge(0, root));
  } finally {
    rmSync(root, { recursive: true });
  }
}

const version2 = {
  'proc/self/cgroup': '0::/\n',
  'sys/fs/cgroup/memory.max': '536870912\n',
  'sys/fs/cgroup/memory.current': '300000000\n',
  'sys/fs/cgroup/memory.stat': 'anon 1\ninactive_anon 7\ninactive_file 100000000\nactive_file 5\n',
};

test('version 2, with a namespace of its own: the working set', () => {
  withFiles(version2, (gauge) => {
    assert.equal(gauge?.limitBytes, 536_870_912);
    assert.equal(gauge.read(), 200_000_000);
  });
});

test('version 2, by a path that is not there in the container', () => {
  withFiles({ ...version2, 'proc/self/cgroup': '0::/kubepods/pod1/abc\n' }, (gauge) =>
    assert.equal(gauge?.limitBytes, 536_870_912),
  );
});

test('the tightest of a group and those above it', () => {
  withFiles(
    {
      ...version2,
      'proc/self/cgroup': '0::/a/b\n',
      'sys/fs/cgroup/a/memory.max': '1000\n',
      'sys/fs/cgroup/a/memory.current': '700\n',
      'sys/fs/cgroup/a/b/memory.max': 'max\n',
    },
    (gauge) => {
      assert.equal(gauge?.limitBytes, 1000);
      assert.equal(gauge.read(), 700);
    },
  );
});

test('version 1', () => {
  withFiles(
    {
      'proc/self/cgroup': '5:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n',
      'sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes': '2000\n',
      'sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes': '1500\n',
      'sys/fs/cgroup/memory/docker/abc/memory.stat': 'inactive_file 1\ntotal_inactive_file 400\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    },
    (gauge) => {
      assert.equal(gauge?.limitBytes, 2000);
      assert.equal(gauge.read(), 1100);
    },
  );
});

test('no limit, and no cgroup', () => {
  withFiles({ ...version2, 'sys/fs/cgroup/memory.max': 'max\n' }, (gauge) => assert.equal(gauge, undefined));
  withFiles(
    {
      'proc/self/cgroup': '4:memory:/\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    },
    (gauge) => assert.equal(gauge, undefined),
  );
  withFiles({}, (gauge) => assert.equal(gauge, undefined));
});

test('a figure that cannot be read is none', () => {
  const { 'sys/fs/cgroup/memory.current': _, ...rest } = version2;
  withFiles(rest, (gauge) => assert.ok(Number.isNaN(gauge?.read())));
});

test('the setting goes first, and is held against what is resident', () => {
  const gauge = findMemoryGauge(123_456_789);
  assert.equal(gauge?.limitBytes, 123_456_789);
  assert.ok(gauge.read() > 10_000_000);
});
