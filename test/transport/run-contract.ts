// Runs a contract on Bun: the transport's over the sockets that the argument names, or that of connections with
// TLS: `tls` by the runtime, `openssl` by the system.
// Prints a line of JSON for each check.
import { nodeSecureTransport } from '#transport/node-tls.ts';
import { contract } from './contract.ts';
import { tlsContract } from './tls-contract.ts';

type Checks = Readonly<Record<string, () => Promise<void>>>;

async function checksOf(name: string | undefined): Promise<Checks> {
  if (name === 'tls') return bind(tlsContract, nodeSecureTransport);
  if (name === 'openssl')
    return {
      ...bind(tlsContract, (await import('#transport/openssl.ts')).opensslTransport),
      ...(await import('./openssl-contract.ts')).opensslContract,
    };
  return bind(
    contract,
    name === 'epoll'
      ? (await import('#transport/epoll.ts')).epollTransport
      : (await import('#transport/bun.ts')).bunTransport,
  );
}

function bind<T>(checks: Readonly<Record<string, (transport: T) => Promise<void>>>, transport: T): Checks {
  return Object.fromEntries(
    Object.entries(checks).map(([name, check]) => [name, (): Promise<void> => check(transport)]),
  );
}

for (const [name, check] of Object.entries(await checksOf(process.argv[2]))) {
  let error = '';
  try {
    await Promise.race([
      check(),
      new Promise((_, reject) => {
        setTimeout(() => reject(new Error('it does not end')), 60_000).unref();
      }),
    ]);
  } catch (caught) {
    error = caught instanceof Error ? (caught.stack ?? caught.message) : String(caught);
  }
  process.stdout.write(`${JSON.stringify({ name, error })}\n`);
}
process.exit(0);
