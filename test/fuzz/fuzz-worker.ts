// The thread that fuzzes one target: it leaves each input where its parent finds it should this thread never return.
import { parentPort, workerData } from 'node:worker_threads';
import { readCorpus } from './corpus.ts';
import { fuzzTargets } from './fuzz-targets.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';

export interface FuzzTask {
  readonly target: string;
  readonly seed: number;
  readonly milliseconds: number;
  /** Two words, runs so far and the size of the input, and then the input. */
  readonly shared: SharedArrayBuffer;
}

export interface FuzzOutcome {
  readonly runs: number;
  readonly failure: { readonly input: Uint8Array; readonly message: string } | undefined;
}

const headerWords = 2;

/** Mutations could repeat themselves into anything; parsers are shown no more than the parent can save. */
const mostBytes = 16_384;

function fuzz({ target, seed, milliseconds, shared }: FuzzTask): FuzzOutcome {
  const found = fuzzTargets.find(({ name }) => name === target);
  if (found === undefined) throw new Error(`no such target: ${target}`);
  const words = new Int32Array(shared, 0, headerWords);
  const current = new Uint8Array(shared, headerWords * 4);
  const random = new Random(seed);
  const corpus = readCorpus(target);
  const deadline = performance.now() + milliseconds;
  let runs = 0;
  while (performance.now() < deadline) {
    const { bytes } = random.oneOf(corpus);
    const start = random.below(10) === 0 ? Buffer.concat([bytes, random.oneOf(corpus).bytes]) : bytes;
    const input = mutate(start, random, found.tricks, 5).subarray(0, mostBytes);
    current.set(input);
    Atomics.store(words, 1, input.length);
    Atomics.store(words, 0, ++runs);
    try {
      found.check(input, random);
    } catch (error) {
      return { runs, failure: { input, message: String(error) } };
    }
  }
  return { runs, failure: undefined };
}

parentPort?.postMessage(fuzz(workerData as FuzzTask));
