// A thread that ticks: timers of an event loop are whole milliseconds, too coarse for 20,000 requests a second.
import { parentPort, workerData } from 'node:worker_threads';

const { tickMs } = workerData as { readonly tickMs: number };
const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));
const startMs = performance.now();
// It ends with the process: what was due last may be sent late.
for (let tick = 0; ; tick++) {
  const waitMs = startMs + tick * tickMs - performance.now();
  // Ticks that were missed are not made up for: the next one sees all that is due.
  if (waitMs < -tickMs) continue;
  if (waitMs > 0) Atomics.wait(nobodyWakes, 0, 0, waitMs);
  parentPort?.postMessage(0);
}
