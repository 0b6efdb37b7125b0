// Loaded into every thread of a Flint under test: the first that finds the file takes it away and throws, outside of everything.
import { renameSync, unlinkSync } from 'node:fs';
import { isMainThread, threadId } from 'node:worker_threads';

const lookMs = 50;
const file = process.env['FLINT_TEST_DEATH'];

if (!isMainThread && file !== undefined) {
  const taken = `${file}-${threadId}`;
  const look = (): void => {
    try {
      // One thread alone can succeed.
      renameSync(file, taken);
    } catch {
      return;
    }
    unlinkSync(taken);
    throw new Error('this thread was told to die');
  };
  setInterval(look, lookMs).unref();
}
