// Clients that ask by GET and POST in turn, each request with a path of its own, against backends that close in between.
import type { FlintProcess } from './flint-process.ts';
import { HttpClient } from './http-client.ts';
import { pause } from './process-figures.ts';

const clients = 20;
const rounds = 15;

/** How many there are, half of each method. */
export const requestsInPairs = 2 * clients * rounds;

/**
 * How often each status came; 0: the connection ended instead. Now and then a client waits for `pauseMs`, which meets the
 * backend's close.
 */
export async function askInPairs(
  { httpPort }: Pick<FlintProcess, 'httpPort'>,
  pauseMs: number,
): Promise<ReadonlyMap<number, number>> {
  const statuses = new Map<number, number>();
  await Promise.all(
    Array.from({ length: clients }, async (_, number) => {
      let client = await HttpClient.open(httpPort);
      for (let round = 0; round < rounds; round++)
        for (const method of ['GET', 'POST']) {
          const body = method === 'POST' ? 'Content-Length: 2\r\n\r\nhi' : '\r\n';
          client.send(`${method} /${number}-${round} HTTP/1.1\r\nHost: shop.test\r\n${body}`);
          const status = await client.answer().then(
            (answer) => answer.status,
            () => 0,
          );
          if (status === 0) client = await HttpClient.open(httpPort);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          if (round % 3 === 2) await pause(pauseMs);
        }
      client.close();
    }),
  );
  return statuses;
}
