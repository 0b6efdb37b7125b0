// Runs the transport contract inside whichever runtime executes this file; prints a line of JSON for each check.
import { transport } from '#transport/current.ts';
import { contract } from './contract.ts';

for (const [name, check] of Object.entries(contract)) {
  let error = '';
  try {
    await Promise.race([
      check(transport),
      new Promise((_, reject) => {
        setTimeout(() => reject(new Error('it does not end')), 20_000).unref();
      }),
    ]);
  } catch (caught) {
    error = caught instanceof Error ? (caught.stack ?? caught.message) : String(caught);
  }
  process.stdout.write(`${JSON.stringify({ name, error })}\n`);
}
process.exit(0);
