// The request parser against Node's own on damaged requests: they agree, or a known difference says why not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCorpus } from '../fuzz/corpus.ts';
import { mutate } from '../fuzz/mutate.ts';
import { Random } from '../fuzz/random.ts';
import { requestTricks } from '../fuzz/tricks.ts';
import { describeBytes } from './bytes-notation.ts';
import { knownDifferences } from './known-differences.ts';
import { NodeParser } from './node-parser.ts';
import { parseWithFlint } from './parsed-requests.ts';
import { describeDifference, findDifferences } from './request-differences.ts';

const seed = 20_260_101;
const inputs = 20_000;

test('every difference to the parser of Node has a reason', async () => {
  const node = new NodeParser();
  const random = new Random(seed);
  const corpus = readCorpus('request');
  const unexplained: string[] = [];
  const used = new Set<string>();
  for (let left = inputs; left > 0; left--) {
    const bytes = mutate(random.oneOf(corpus).bytes, random, requestTricks);
    const differences = findDifferences(bytes, parseWithFlint(bytes), await node.parse(bytes));
    for (const difference of differences) {
      const reason = knownDifferences.find(({ explains }) => explains(difference));
      if (reason === undefined)
        unexplained.push(`${describeDifference(difference)}\n${describeBytes(bytes)}`);
      else used.add(reason.name);
    }
  }
  assert.deepEqual(unexplained, []);
  const unused = knownDifferences.map(({ name }) => name).filter((name) => !used.has(name));
  assert.deepEqual(unused, [], 'a reason that explains nothing is removed');
});

test('undamaged requests are the same to both', async () => {
  const node = new NodeParser();
  for (const { file, bytes } of readCorpus('request')) {
    if (file === 'absolute.txt') continue;
    const { requests, ending } = parseWithFlint(bytes);
    assert.deepEqual({ requests, ending }, await node.parse(bytes), file);
  }
});
