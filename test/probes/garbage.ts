// Backends that do not speak HTTP, contradict themselves, or say more than they were asked.
import { HttpClient } from '../e2e/http-client.ts';
import { rawBackend } from '../e2e/backends.ts';
import { pause } from '../e2e/process-figures.ts';
import { count, tallied, unless } from './probe.ts';
import type { Probe } from './probe.ts';

const asked = 10;
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const foreign = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';

const answers: Readonly<Record<string, string>> = {
  'no HTTP': '\u0016\u0003\u0001\u0000 hello\r\n\r\n',
  'status abc': 'HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nok',
  'two Content-Length': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\nokok',
  'Content-Length of -1': 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok',
  'chunked twice':
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  'NUL in a value': 'HTTP/1.1 200 OK\r\nX: a\u0000b\r\nContent-Length: 2\r\n\r\nok',
  'a bad chunk size': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n',
};
const kinds = Object.keys(answers);

export const garbage: Probe = {
  name: 'backend sends garbage',
  fault: `backend sends garbage: ${kinds.join(', ')}; bytes after the response, with it and 2 ms later`,
  promise:
    '502, or the connection ends where a head has been sent; and no client ever gets the bytes of another answer',
  async run(side, context) {
    const backend = await rawBackend(context, (socket, received) => {
      if (!received.endsWith('\r\n\r\n')) return;
      const [, path = ''] = [...received.matchAll(/GET \/(\w+)/g)].at(-1) ?? [];
      if (path === 'with') socket.write(ok + foreign);
      else if (path === 'later') {
        // Or the kernel keeps the second one until the first is acknowledged, which the next request does.
        socket.setNoDelay(true);
        socket.write(ok);
        setTimeout(() => socket.write(foreign), 2);
      } else if (path === 'good') socket.write(ok);
      else socket.end(answers[kinds[Number(path)] ?? ''] ?? '', 'latin1');
    });
    const subject = await side.start(context, { pools: { 'shop.test': [backend.port] } });
    const ask = async (client: HttpClient, path: string): Promise<string> => {
      client.send(`GET /${path} HTTP/1.1\r\nHost: shop.test\r\n\r\n`);
      return client.answer().then(
        ({ status, body }) => (body === 'poison' ? 'poison' : String(status)),
        () => 'broken off',
      );
    };
    const passed = new Map<string, number>();
    const seen = new Map<string, number>();
    for (const [number, kind] of kinds.entries())
      for (let time = 0; time < asked; time++) {
        const client = await HttpClient.open(subject.port);
        const status = await ask(client, String(number));
        client.close();
        count(seen, status);
        if (status === '200') count(passed, kind);
      }
    let poisoned = 0;
    for (const path of ['with', 'later'])
      for (let time = 0; time < 3 * asked; time++) {
        // The next one on the same connection, and one on another.
        const client = await HttpClient.open(subject.port);
        const other = await HttpClient.open(subject.port);
        const statuses = [await ask(client, path)];
        // Nobody can tell what has come after a next request from its answer; what came before it must have been seen.
        await pause(20);
        statuses.push(await ask(client, 'good'), await ask(other, 'good'));
        if (statuses.includes('poison') || client.unread !== '') poisoned++;
        client.close();
        other.close();
      }
    return {
      figures: [
        tallied(seen),
        ...(passed.size === 0 ? [] : [`passed on as 200: ${tallied(passed)}`]),
        `${poisoned} of ${6 * asked} clients got foreign bytes`,
      ],
      breaches: unless(
        [passed.size === 0, `passed on: ${tallied(passed)}`],
        [poisoned === 0, `${poisoned} clients got foreign bytes`],
      ),
    };
  },
};
