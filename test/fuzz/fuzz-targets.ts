// What is fuzzed, and what must hold for every input of each.
import assert from 'node:assert/strict';
import { defaultParserLimits } from '#h1/parser-limits.ts';
import type { ParserLimits } from '#h1/parser-limits.ts';
import { familyOf } from '#http/ip-ranges.ts';
import { normalizePath, strictPathPolicy } from '#model/request-path.ts';
import type { DoubtfulPath, PathPolicy } from '#model/route-model.ts';
import { parseProxyHeader } from '#proxy/proxy-protocol.ts';
import { parseClientHello } from '#tls/client-hello.ts';
import { smallLimits } from '../h1/endless-input.ts';
import { cutsEverywhere } from '../h1/pieces.ts';
import { recordRequests } from '../h1/request-recorder.ts';
import { recordResponse } from '../h1/response-recorder.ts';
import { recordFrames } from './check-frames.ts';
import { checkHpack } from './check-hpack.ts';
import { checkPem } from './check-pem.ts';
import type { Random } from './random.ts';
import {
  chunkTricks,
  clientHelloTricks,
  frameTricks,
  hpackTricks,
  pemTricks,
  proxyHeaderTricks,
  requestTricks,
  responseTricks,
  targetTricks,
} from './tricks.ts';

export interface FuzzTarget {
  /** Also the folder of its corpus. */
  readonly name: string;
  readonly tricks: readonly string[];
  /** Throws when something does not hold. The recorders check that what is held is bounded. */
  readonly check: (input: Buffer, random: Random) => void;
}

/** The same events whole, at random cuts, and now and then byte by byte. */
function checkCuts(
  length: number,
  random: Random,
  record: (cuts: readonly number[], limits: ParserLimits) => readonly string[],
): void {
  const limits = random.below(2) === 0 ? defaultParserLimits : smallLimits;
  const whole = record([], limits);
  const some = Array.from({ length: 1 + random.below(4) }, () => random.below(length + 1));
  const cuts = random.below(8) === 0 ? cutsEverywhere(length) : some.toSorted((left, right) => left - right);
  assert.deepEqual(record(cuts, limits), whole, `cut at ${cuts.join()}`);
}

const chunkedHead = Buffer.from('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n', 'latin1');

function checkPath(path: string, policy: PathPolicy): void {
  const normal = normalizePath(path, policy);
  if (normal.kind === 'Refused') return;
  assert.match(normal.path, /^\/[!-~]*$/);
  for (const segment of normal.path.split('/')) assert.doesNotMatch(segment, /^\.\.?$/);
  assert.deepEqual(normalizePath(normal.path, policy), normal, 'the normal form of a normal form is itself');
  if (policy !== strictPathPolicy) return;
  assert.doesNotMatch(normal.path, /%2f|%5c|%00|\/\/|\\|\.\.;|[?#]/i);
  // Another reading of the same text: URL resolves every dot segment that it sees, plain or not.
  for (const text of [path, normal.path]) {
    const { pathname } = new URL(`http://a.example${text}`);
    assert.equal(pathname.split('/').length, normal.path.split('/').length, `segments of ${text}`);
  }
}

/** A header is whole or not whatever follows it, and no part of one is a header or a mistake before its end. */
function checkProxyHeader(input: Buffer, cut: number): void {
  const whole = parseProxyHeader(input);
  const part = parseProxyHeader(input.subarray(0, cut));
  if (whole.kind === 'Invalid') return;
  if (whole.kind === 'Incomplete') assert.equal(part.kind, 'Incomplete');
  else {
    assert(whole.length <= input.length);
    assert(whole.source === undefined || familyOf(whole.source) !== undefined);
    assert.deepEqual(part, cut < whole.length ? { kind: 'Incomplete' } : whole);
  }
}

/** No part of a ClientHello says anything else than the whole, and what is found is what a certificate is chosen by. */
function checkClientHello(input: Buffer, cut: number): void {
  const whole = parseClientHello(input);
  const part = parseClientHello(input.subarray(0, cut));
  if (part.kind !== 'Incomplete') assert.deepEqual(part, whole);
  if (whole.kind !== 'Hello') return;
  const { serverName = 'none', protocols, version } = whole.hello;
  assert.match(serverName, /^[a-z0-9_.-]{1,253}$/);
  assert(protocols.every((name) => name.length > 0 && name.length < 256));
  assert(version <= 0x0304);
}

const choices: readonly DoubtfulPath[] = ['Reject', 'Keep', 'Decode'];

export const fuzzTargets: readonly FuzzTarget[] = [
  {
    name: 'request',
    tricks: requestTricks,
    check: (input, random) => {
      checkCuts(input.length, random, (cuts, limits) => recordRequests(input, cuts, limits));
    },
  },
  {
    name: 'chunked',
    tricks: chunkTricks,
    check: (input, random) => {
      const bytes = Buffer.concat([chunkedHead, input]);
      checkCuts(bytes.length, random, (cuts, limits) => recordRequests(bytes, cuts, limits));
    },
  },
  {
    name: 'response',
    tricks: responseTricks,
    check: (input, random) => {
      const method = random.oneOf(['GET', 'HEAD', 'POST']);
      const expectsSwitch = random.below(4) === 0;
      const response = { bytes: input, method, expectsSwitch, isEnded: random.below(2) === 0 };
      checkCuts(input.length, random, (cuts, limits) => recordResponse(response, cuts, limits));
    },
  },
  {
    name: 'target',
    tricks: targetTricks,
    check: (input, random) => {
      const path = input.toString('latin1').split(/[?#]/, 1)[0] ?? '';
      checkPath(path, strictPathPolicy);
      checkPath(path, {
        encodedSlash: random.oneOf(choices),
        mergeSlashes: random.oneOf(choices),
        backslash: random.oneOf(choices),
      });
    },
  },
  {
    name: 'proxy-header',
    tricks: proxyHeaderTricks,
    check: (input, random) => checkProxyHeader(input, random.below(input.length + 1)),
  },
  {
    name: 'client-hello',
    tricks: clientHelloTricks,
    check: (input, random) => checkClientHello(input, random.below(input.length + 1)),
  },
  {
    name: 'pem',
    tricks: pemTricks,
    check: (input, random) => checkPem(input, random, pemTricks),
  },
  {
    name: 'h2-frames',
    tricks: frameTricks,
    check: (input, random) => {
      checkCuts(input.length, random, (cuts, limits) => recordFrames(input, cuts, limits === smallLimits));
    },
  },
  {
    name: 'hpack',
    tricks: hpackTricks,
    check: checkHpack,
  },
];
