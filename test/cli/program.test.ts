// The command line itself: help, mistakes of usage, and their exit codes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProgram } from '#cli/program.ts';
import { flint } from './recording-terminal.ts';

const commands = createProgram({ stdout: () => {}, stderr: () => {}, exit: () => {} }, () => {}).commands;

for (const args of [['--help'], ['-h'], ['help']])
  test(`flint ${args.join(' ')} lists the commands on standard output`, async () => {
    const { code, stdout, stderr } = await flint(args);
    assert.deepEqual([code, stderr], [0, '']);
    for (const command of commands) assert.match(stdout, new RegExp(`^ {2}${command.name()} `, 'm'));
  });

for (const command of commands)
  test(`flint ${command.name()} --help names every option`, async () => {
    for (const args of [
      [command.name(), '--help'],
      ['help', command.name()],
    ]) {
      const { code, stdout, stderr } = await flint(args);
      assert.deepEqual([code, stderr], [0, '']);
      for (const option of command.options) assert.ok(stdout.includes(option.flags), option.flags);
    }
  });

const mistakes: readonly (readonly [args: string, stderr: RegExp])[] = [
  ['', /^Usage: flint /],
  ['nope', /^error: unknown command 'nope'/],
  ['--nope', /^error: unknown option '--nope'/],
  ['check --nope -f x', /^error: unknown option '--nope'/],
  ['check', /^error: required option '-f, --file <path\.\.\.>' not specified/],
  ['check -f', /^error: option '-f, --file <path\.\.\.>' argument missing/],
  ['explain', /^error: missing required argument 'url'/],
  ['explain a.test b.test', /^error: too many arguments/],
  ['run', /^flint: nothing to serve: give -f FILE_OR_FOLDER, or --route/],
  ['run -f /nowhere.yaml', /^flint: -f \/nowhere\.yaml: there is no such file or folder/],
  ['run --route a.test', /^flint: --route a\.test: there is no "="/],
  ['run --route a.test=1.2.3.4:5 extra=1', /^flint: --route extra=1: "1" is no ADDRESS:PORT/],
  [
    'run --trusted-proxy 10.0.0.0/99',
    /^error: option '--trusted-proxy <cidr>' argument '10\.0\.0\.0\/99' is invalid\. It is no CIDR block/,
  ],
  ['operator --lease-duration 10', /^flint: --lease-duration 10: it must be at least 1000 ms/],
  ['run --http 8080', /^error: option '--http <host:port>' argument '8080' is invalid\. It is no HOST:PORT/],
  ['run --http a:65536', /^error: option '--http <host:port>' argument 'a:65536' is invalid/],
  ['run --http ::1:80', /^error: option '--http <host:port>' argument '::1:80' is invalid/],
  ['run --admin x', /^error: option '--admin <host:port>' argument 'x' is invalid/],
  ['run --workers -1', /^error: option '--workers <n>' argument (?:'-1' is invalid|missing)/],
  [
    'run --workers 1.5',
    /^error: option '--workers <n>' argument '1\.5' is invalid\. It is not a whole number/,
  ],
  ['run --grace soon', /^error: option '--grace <ms>' argument 'soon' is invalid/],
  ['run --load-balancing Random', /^error: option '--load-balancing <policy>' argument 'Random' is invalid/],
  ['run --access-log xml', /^error: option '--access-log <format>' argument 'xml' is invalid/],
  ['run --log-level all', /^error: option '--log-level <level>' argument 'all' is invalid/],
];

for (const [args, expected] of mistakes)
  test(`"flint ${args}" is a mistake of usage`, async () => {
    const { code, stdout, stderr } = await flint(args === '' ? [] : args.split(' '));
    assert.match(stderr, expected);
    assert.deepEqual([code, stdout], [2, '']);
  });
