// Request bodies that stop, and others that trickle.
import { HttpClient } from '../e2e/http-client.ts';
import { eventually, pause } from '../e2e/process-figures.ts';
import { listenRaw } from '../e2e/raw-server.ts';
import { seconds, unless } from './probe.ts';
import type { Probe } from './probe.ts';
import type { Subject } from './side.ts';

const idleMs = 2000;
const answerMs = 5000;
const floor = 1000;
const trickleMs = 200;
const longestMs = 20_000;
const head = 'POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 100000\r\n\r\nbody';

interface End {
  readonly status: string;
  readonly afterMs: number;
  readonly isEnded: boolean;
}

export const tricklingBody: Probe = {
  name: 'trickling body',
  fault: `a request body that stops for good (idle timeout ${seconds(idleMs)}); one that trickles, 5 bytes a second`,
  promise: `408 after the idle timeout; 408 below a floor of bytes per second, where one is set (${floor}); the backend is let go`,
  async run(side, context) {
    let held = 0;
    const port = await listenRaw(context, (socket) => {
      socket.once('data', () => held++);
      socket.resume();
      socket.on('close', () => held--);
      socket.on('end', () => socket.destroy());
    });
    const pools = { 'shop.test': [port] };
    const subject = await side.start(context, { pools, idleMs, answerMs, bodyBytesPerSecond: floor });
    const stopped = await upload(subject, async () => {});
    const trickled = await upload(subject, (client) => {
      client.send('x');
      return pause(trickleMs);
    });
    const heldMost = held;
    const left = await eventually(
      () => held,
      (count) => count === 0,
      5000,
    );
    const words = ({ status, afterMs, isEnded }: End): string =>
      isEnded ? `${status} after ${seconds(afterMs)}` : `not ended after ${seconds(afterMs)}`;
    return {
      figures: [
        `stopped: ${words(stopped)}`,
        `trickled: ${words(trickled)}`,
        `${heldMost} backend connections held by the trickle at its end, ${left} afterwards`,
      ],
      breaches: unless(
        [stopped.isEnded, 'one that stopped is not ended'],
        [trickled.isEnded, 'one that trickles is not ended'],
        [left === 0, `${left} backend connections left`],
      ),
    };
  },
};

/** `more` is called again and again until the connection is answered or ended. */
async function upload(subject: Subject, more: (client: HttpClient) => Promise<void>): Promise<End> {
  const client = await HttpClient.open(subject.port);
  client.send(head);
  const beganMs = performance.now();
  const seen = { status: '' };
  client.answer().then(
    (answer) => (seen.status = String(answer.status)),
    () => (seen.status = 'closed without a word'),
  );
  while (seen.status === '' && performance.now() - beganMs < longestMs) {
    await more(client);
    await pause(20);
  }
  const { status } = seen;
  const isEnded = status !== '';
  client.close();
  return { status, afterMs: performance.now() - beganMs, isEnded };
}
