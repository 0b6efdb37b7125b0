// The end of a proxy in peace, as in a rolling update: SIGTERM for Flint, SIGQUIT for nginx, SIGUSR1 for haproxy.
import { echoBackend } from '../e2e/backends.ts';
import { HttpClient } from '../e2e/http-client.ts';
import { Load } from '../e2e/load.ts';
import { seconds, tallied, unless } from './probe.ts';
import type { Probe } from './probe.ts';

const clients = 16;
const slowRequests = 4;
const answerMs = 1500;

export const stopUnderLoad: Probe = {
  name: 'stop under load',
  fault: `a graceful stop under ${clients} busy connections and ${slowRequests} requests that take ${seconds(answerMs)}`,
  promise:
    'still accepting for a while, then Connection: close; what is under way is finished: 0 broken requests',
  async run(side, context) {
    const quick = await echoBackend(context, 'quick', 2);
    const slow = await echoBackend(context, 'slow', answerMs);
    const subject = await side.start(context, {
      pools: { 'shop.test': [quick.port], 'slow.test': [slow.port] },
    });
    const load = new Load({ port: subject.port, host: 'shop.test', connections: clients, onClose: 'stop' });
    await load.more(500);
    const slowStatuses = new Map<string, number>();
    const underWay = Promise.all(
      Array.from({ length: slowRequests }, async () => {
        const client = await HttpClient.open(subject.port);
        client.send('GET / HTTP/1.1\r\nHost: slow.test\r\n\r\n');
        const status = await client.answer().then(
          (answer) => String(answer.status),
          () => 'broken',
        );
        slowStatuses.set(status, (slowStatuses.get(status) ?? 0) + 1);
        client.close();
      }),
    );
    await load.more(200);
    const beganMs = performance.now();
    await subject.stop();
    const lastedMs = performance.now() - beganMs;
    await underWay;
    const result = await load.stop();
    const broken = result.errors.length;
    const notFinished = slowRequests - (slowStatuses.get('200') ?? 0);
    return {
      figures: [
        `${result.requests} requests`,
        `${broken} broken`,
        `slow ones: ${tallied(slowStatuses)}`,
        `gone after ${seconds(lastedMs)}`,
      ],
      breaches: unless(
        [broken === 0, `${broken} requests broken`],
        [notFinished === 0, `${notFinished} slow ones not finished`],
      ),
    };
  },
};
