// Runs the transport contract on Bun, over the sockets that the argument names; prints a line of JSON for each check.
import type { Transport } from '#transport/transport.ts';
import { contract } from './contract.ts';

const transport: Transport =
  process.argv[2] === 'epoll'
    ? (await import('#transport/epoll.ts')).epollTransport
    : (await import('#transport/bun.ts')).bunTransport;

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
