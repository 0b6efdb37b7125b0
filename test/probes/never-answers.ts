// Backends that take requests and say nothing, beside a host that is served.
import type { Socket } from 'node:net';
import { rawBackend } from '../e2e/backends.ts';
import { request } from '../e2e/http-client.ts';
import { listenRaw } from '../e2e/raw-server.ts';
import { count, seconds, tallied, unless } from './probe.ts';
import type { Probe } from './probe.ts';

const answerMs = 1000;
const asked = 40;

export const neverAnswers: Probe = {
  name: 'backend never answers',
  fault: 'both endpoints accept and never answer; the timeout is 1 s',
  promise: '504 at the timeout of the rule; no POST delivered twice; other hosts do not notice',
  async run(side, context) {
    const deliveries = new Map<string, number>();
    const swallow = (socket: Socket): void => {
      socket.on('data', (bytes: Buffer) => {
        for (const [, text = ''] of bytes.toString('latin1').matchAll(/((?:GET|POST) \S+) HTTP/g))
          count(deliveries, text);
      });
    };
    const holes = [await listenRaw(context, swallow), await listenRaw(context, swallow)];
    const shop = await rawBackend(context, (socket, received) => {
      if (received.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    const subject = await side.start(context, {
      pools: { 'hole.test': holes, 'shop.test': [shop.port] },
      answerMs,
    });
    const statuses = new Map<string, number>();
    let slowestMs = 0;
    const dead = Promise.all(
      Array.from({ length: asked }, async (_, number) => {
        const beganMs = performance.now();
        const body = number % 2 === 0 ? {} : { method: 'POST', body: 'hi' };
        const answer = await request(subject.port, 'hole.test', `/${number}`, body).catch(() => undefined);
        count(statuses, String(answer?.status ?? 'no answer'));
        slowestMs = Math.max(slowestMs, performance.now() - beganMs);
      }),
    ).then(() => true);
    let others = 0;
    let failed = 0;
    for (let isOver = false; !isOver;) {
      const answer = await request(subject.port, 'shop.test', '/').catch(() => undefined);
      others++;
      if (answer?.status !== 200) failed++;
      isOver = await Promise.race([dead, Promise.resolve(false)]);
    }
    const twice = (method: string): number =>
      [...deliveries].filter(([text, times]) => text.startsWith(method) && times > 1).length;
    return {
      figures: [
        tallied(statuses),
        `slowest ${seconds(slowestMs)}`,
        `${twice('POST')} POST and ${twice('GET')} GET delivered twice`,
        `${failed} of ${others} others failed`,
      ],
      breaches: unless(
        [statuses.get('504') === asked, tallied(statuses)],
        [twice('POST') === 0, `${twice('POST')} POST delivered twice`],
        [failed === 0, `${failed} others failed`],
      ),
    };
  },
};
