// Fuzzes one target in a thread of its own, so that an endless loop is a finding and not the end of the run.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { FuzzOutcome, FuzzTask } from './fuzz-worker.ts';

const headerBytes = 8;
const sharedBytes = headerBytes + 16_384;
/** No input takes a parser anywhere near as long. */
const stallMs = 5000;
const pollMs = 500;

export async function runFuzz(target: string, seed: number, milliseconds: number): Promise<FuzzOutcome> {
  const shared = new SharedArrayBuffer(sharedBytes);
  const task: FuzzTask = { target, seed, milliseconds, shared };
  const worker = new Worker(new URL('fuzz-worker.ts', import.meta.url), { workerData: task });
  const watch = watchForStall(shared);
  const finished = once(worker, 'message').then(([outcome]: FuzzOutcome[]) => outcome);
  const outcome = await Promise.race([finished, watch.stalled]);
  watch.stop();
  await worker.terminate();
  if (outcome === undefined) throw new Error(`fuzzing ${target} ended without an outcome`);
  return outcome;
}

interface StallWatch {
  readonly stalled: Promise<FuzzOutcome>;
  readonly stop: () => void;
}

/** Resolves when the count of runs has stood still for too long. */
function watchForStall(shared: SharedArrayBuffer): StallWatch {
  const words = new Int32Array(shared, 0, headerBytes / 4);
  const { promise, resolve } = Promise.withResolvers<FuzzOutcome>();
  let lastRuns = 0;
  let since = performance.now();
  const timer = setInterval(() => {
    const runs = Atomics.load(words, 0);
    if (runs !== lastRuns) {
      lastRuns = runs;
      since = performance.now();
    } else if (runs > 0 && performance.now() - since > stallMs) {
      const input = Uint8Array.from(new Uint8Array(shared, headerBytes, Atomics.load(words, 1)));
      resolve({ runs, failure: { input, message: `no end after ${stallMs} ms` } });
    }
  }, pollMs);
  return {
    stalled: promise,
    stop: () => {
      clearInterval(timer);
    },
  };
}
