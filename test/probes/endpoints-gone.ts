// The last endpoint of a Service goes, and comes back.
import { echoBackend } from '../e2e/backends.ts';
import { request } from '../e2e/http-client.ts';
import type { Answer } from '../e2e/http-client.ts';
import { pause } from '../e2e/process-figures.ts';
import { count, seconds, tallied, unless } from './probe.ts';
import type { Probe } from './probe.ts';

const host = 'shop.test';
const asked = 50;
const patienceMs = 30_000;
const settleMs = 500;
const atOnceMs = 1000;

export const endpointsGone: Probe = {
  name: 'all endpoints gone',
  fault: 'all endpoints of a Service gone, then back',
  promise: '503 with Retry-After at once; served again when one is back',
  async run(side, context, scale) {
    const backends = await Promise.all(['a', 'b'].map((name) => echoBackend(context, name)));
    const pools = { [host]: backends.map(({ port }) => port) };
    const subject = await side.start(context, { pools });
    const ask = (): Promise<Answer> => request(subject.port, host, '/');
    await subject.change({ [host]: [] });
    await until(ask, ({ status }) => status !== 200);
    // Old and new workers of one who reloads accept side by side for a moment.
    await pause(settleMs);
    const statuses = new Map<string, number>();
    let slowestMs = 0;
    for (let number = 0; number < asked; number++) {
      const beganMs = performance.now();
      const { status, headers } = await ask();
      slowestMs = Math.max(slowestMs, performance.now() - beganMs);
      count(statuses, `${status}${headers['retry-after'] === undefined ? ' without' : ' with'} Retry-After`);
    }
    await subject.change(pools);
    const isBack = await until(ask, ({ status }) => status === 200);
    return {
      figures: [
        tallied(statuses),
        `slowest ${seconds(slowestMs)}`,
        isBack ? 'came back' : 'did not come back',
      ],
      breaches: unless(
        [statuses.get('503 with Retry-After') === asked, tallied(statuses)],
        [scale === 'Test' || slowestMs < atOnceMs, `took ${seconds(slowestMs)}`],
        [isBack, 'did not come back'],
      ),
    };
  },
};

/** False when patience ends first. A reload may break the connection that asks. */
async function until(ask: () => Promise<Answer>, isGood: (answer: Answer) => boolean): Promise<boolean> {
  const endMs = performance.now() + patienceMs;
  while (performance.now() < endMs) {
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined && isGood(answer)) return true;
    await pause(20);
  }
  return false;
}
