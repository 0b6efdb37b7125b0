// A proxy that gets no time for longer than its timeouts, as under a CPU limit or in a container that is paused.
import { rawBackend } from '../e2e/backends.ts';
import { request } from '../e2e/http-client.ts';
import { eventually, pause } from '../e2e/process-figures.ts';
import { count, tallied, unless } from './probe.ts';
import type { Probe } from './probe.ts';

const answerMs = 1000;
const standstillMs = 4000;
const asked = 20;

export const standstill: Probe = {
  name: 'standstill',
  fault: 'the proxy gets no time for 4 s, and the answers of its backends come meanwhile; the timeout is 1 s',
  promise: 'what came while it stood still came in time: 200',
  async run(side, context) {
    const answers: (() => void)[] = [];
    const backend = await rawBackend(context, (socket, received) => {
      if (!received.endsWith('\r\n\r\n')) return;
      const answer = (): void => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      if (received.includes('GET /held')) answers.push(answer);
      else answer();
    });
    const subject = await side.start(context, { pools: { 'shop.test': [backend.port] }, answerMs });
    await request(subject.port, 'shop.test', '/');
    const statuses = new Map<string, number>();
    const all = Array.from({ length: asked }, async () => {
      const answer = await request(subject.port, 'shop.test', '/held').catch(() => undefined);
      count(statuses, String(answer?.status ?? 'no answer'));
    });
    await eventually(
      () => answers.length,
      (length) => length === asked,
    );
    const pids = subject.pids();
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    await pause(200);
    for (const answer of answers) answer();
    await pause(standstillMs);
    for (const pid of pids) process.kill(pid, 'SIGCONT');
    await Promise.all(all);
    return {
      figures: [tallied(statuses)],
      breaches: unless([statuses.get('200') === asked, `${tallied(statuses)} of ${asked}`]),
    };
  },
};
