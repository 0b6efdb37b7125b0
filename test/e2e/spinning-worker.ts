// A worker whose loop stops turning when the test says so: as soon as it has taken away a file, which only one worker can.
import { unlinkSync } from 'node:fs';
import '#dataplane/worker.ts';

setInterval(() => {
  try {
    unlinkSync(process.env['FLINT_TEST_SPIN'] ?? '');
  } catch {
    return;
  }
  for (;;);
}, 50);
